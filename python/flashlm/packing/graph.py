# SPDX-License-Identifier: Apache-2.0
"""graph.py: what a model computes, as flashlm.json says it.

The words are those of docs/graph.md and include/flashlm/model/graph/spec.hpp.

A family builds a `Graph`; its JSON leaves out what has the value that absent fields have, and lists
a kind of layer once, however many layers are of it. Which graphs the engine computes is its own to
say: `flashlm._core.graph_tensors`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

SPARSE = (
    "relu",
    "relu2",
    "fatrelu",
)  # activations that make zeros, so that single neurons are worth reading


@dataclass(frozen=True)
class Norm:
    """A norm: ``kind`` is "rms" or "layer"."""

    kind: str
    epsilon: float
    weight: bool = True
    bias: bool = False


@dataclass(frozen=True)
class LongRope:
    """The angles of a session whose context is above ``original_context``."""

    original_context: int
    frequencies: tuple[float, ...]
    attention_factor: float = 1.0


@dataclass(frozen=True)
class Rope:
    """Rotary positions: pair i of a head turns by position * frequencies[i] radians.

    Scaling is in the numbers.
    """

    layout: str  # "halves": i and i + dims / 2 turn together; "pairs": 2 i and 2 i + 1
    dims: int  # the first of a head
    frequencies: tuple[float, ...]  # [dims / 2], float32 numbers
    attention_factor: float = 1.0
    by_context: LongRope | None = None


@dataclass(frozen=True)
class HeadNorm:
    """A norm of queries, keys or values."""

    norm: Norm
    over: str  # "head" or "whole"
    place: str = "before_rope"
    factor: float = 1.0


@dataclass(frozen=True)
class QueryScale:
    """Queries times 1 + beta * ln(1 + floor(position / original))."""

    beta: float
    original: int


@dataclass(frozen=True)
class AttentionBias:
    """Which products have a bias."""

    q: bool = False
    k: bool = False
    v: bool = False
    o: bool = False


@dataclass(frozen=True)
class Attention:
    """Grouped-query attention; scores are q . k times ``scale``."""

    heads: int
    kv_heads: int
    head_dim: int
    scale: float
    rope: Rope | None = None
    value_dim: int | None = None
    window: int | None = None
    softcap: float | None = None
    sinks: bool = False
    bias: AttentionBias = AttentionBias()
    q_norm: HeadNorm | None = None
    k_norm: HeadNorm | None = None
    v_norm: HeadNorm | None = None
    query_scale: QueryScale | None = None
    clip: float | None = None
    output_gate: str | None = None
    value: str = "own"
    shares_kv_of: int | None = None

    def within(self, window: int, context: int) -> Attention:
        """This attention with a window of positions; one that no context reaches is none."""
        return dataclasses.replace(self, window=window) if window < context else self


@dataclass(frozen=True)
class FfnBias:
    """Which products have a bias."""

    gate: bool = False
    up: bool = False
    down: bool = False


@dataclass(frozen=True)
class Ffn:
    """down(activation(gate(x)) * up(x)), or down(activation(up(x))) without a gate."""

    hidden: int
    activation: str
    gated: bool
    threshold: float | None = None  # of fatrelu
    alpha: float | None = None  # of clamped_swiglu
    limit: float | None = None  # of clamped_swiglu
    bias: FfnBias = FfnBias()
    output_gate: bool = False


@dataclass(frozen=True)
class Groups:
    """The ``keep`` of ``n`` groups of experts that take part."""

    n: int
    keep: int


@dataclass(frozen=True)
class Router:
    """Which experts a token gets, and their weights."""

    scores: str  # "softmax" or "sigmoid"
    weights: str = "of_all"
    reads: str = "part"
    norm: Norm | None = None
    bias: bool = False
    selection_bias: bool = False
    groups: Groups | None = None
    renormalise: bool = False
    epsilon: float = 0.0
    scale: float = 1.0
    expert_scale: bool = False


@dataclass(frozen=True)
class Experts:
    """A mixture: the sum of ``top_k`` of ``n`` networks, each times its weight."""

    n: int
    top_k: int
    expert: Ffn
    router: Router


_Does = TypeVar("_Does", Attention, Ffn, Experts)
_DOES: Mapping[type[Attention | Ffn | Experts], str] = {
    Attention: "attention",
    Ffn: "ffn",
    Experts: "experts",
}


@dataclass(frozen=True)
class Part:
    """A part of a layer: after(does(before(reads))) * residual_scale.

    It is added to the residual stream with its group.
    """

    does: Attention | Ffn | Experts
    before: Norm | None = None
    after: Norm | None = None
    group: int = 0
    reads: str | int = "residual"  # or "layer_input", or which part's norm
    residual_scale: float = 1.0


@dataclass(frozen=True)
class Layer:
    """Parts in order.

    Parts of one group read the same residual stream; a group may have a norm of its sum.
    """

    parts: tuple[Part, ...]
    group_after: tuple[Norm | None, ...] = ()
    output_scale: bool = False

    def find(self, kind: type[_Does]) -> _Does | None:
        """What the first part of that kind does; None where there is none."""
        return next((part.does for part in self.parts if isinstance(part.does, kind)), None)


@dataclass(frozen=True)
class Positions:
    """A table whose row position + offset is added to the embedding."""

    rows: int
    offset: int


@dataclass(frozen=True)
class Embedding:
    """What becomes of a row of the embedding."""

    scale: float = 1.0
    norm: Norm | None = None
    positions: Positions | None = None


@dataclass(frozen=True)
class Head:
    """logits = cap(scale * (matrix . x + bias))."""

    tied: bool
    bias: bool = False
    scale: float = 1.0
    softcap: float | None = None


@dataclass(frozen=True)
class Graph:
    """A whole model of one decoder."""

    dim: int
    vocab_size: int
    max_context: int
    layers: tuple[Layer, ...]
    final_norm: Norm
    head: Head
    embedding: Embedding = Embedding()

    @property
    def attention(self) -> Attention:
        """That of the first layer."""
        return next(found for layer in self.layers if (found := layer.find(Attention)) is not None)

    @property
    def ffn(self) -> Ffn:
        """That of the first layer."""
        return next(found for layer in self.layers if (found := layer.find(Ffn)) is not None)

    @property
    def is_sparse(self) -> bool:
        """Whether the activation of all networks makes zeros."""
        networks = [found for layer in self.layers if (found := layer.find(Ffn)) is not None]
        return bool(networks) and all(network.activation in SPARSE for network in networks)

    def untied(self) -> Graph:
        """The same with a head of its own."""
        return dataclasses.replace(self, head=dataclasses.replace(self.head, tied=False))

    def to_json(self) -> dict[str, Any]:
        """The field `graph` of flashlm.json."""
        kinds = list(dict.fromkeys(self.layers))
        stack = {
            "kind": "decoder",
            "layer_kinds": [_layer(kind) for kind in kinds],
            "layers": [kinds.index(layer) for layer in self.layers],
        }
        result: dict[str, Any] = _fields(self) | {"stacks": [stack]}
        del result["layers"]
        return result

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Graph:
        """What `to_json` gave."""
        stack = value["stacks"][-1]
        kinds = [_read_layer(kind) for kind in stack["layer_kinds"]]
        return cls(
            layers=tuple(kinds[kind] for kind in stack["layers"]), **_read_fields(cls, value)
        )

    def text(self) -> str:
        """Its JSON, as `flashlm._core.graph_tensors` takes it."""
        return json.dumps(self.to_json())


def _layer(layer: Layer) -> dict[str, Any]:
    result: dict[str, Any] = _fields(layer) | {"parts": [_part(part) for part in layer.parts]}
    if layer.group_after:
        result["group_after"] = [
            None if norm is None else _fields(norm) for norm in layer.group_after
        ]
    return result


def _part(part: Part) -> dict[str, Any]:
    does = _DOES[type(part.does)]
    result: dict[str, Any] = _fields(part) | {"does": does, does: _fields(part.does)}
    if isinstance(part.reads, int):
        result["reads"] = {"norm_of": part.reads}
    return result


def _fields(value: Any) -> Any:
    """A dataclass as an object of what differs from its defaults; anything else as it is."""
    if isinstance(value, tuple):
        return [_fields(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    return {
        each.name: _fields(getattr(value, each.name))
        for each in dataclasses.fields(value)
        if getattr(value, each.name) != each.default and getattr(value, each.name) is not None
    }


def _read_layer(value: Mapping[str, Any]) -> Layer:
    return Layer(
        tuple(_read_part(part) for part in value["parts"]),
        tuple(_read(Norm | None, norm) for norm in value.get("group_after") or ()),
        bool(value.get("output_scale")),
    )


def _read_part(value: Mapping[str, Any]) -> Part:
    kind = next(kind for kind, word in _DOES.items() if word == value["does"])
    fields = _read_fields(
        Part, {key: each for key, each in value.items() if key not in ("does", "reads")}
    )
    reads = value.get("reads", "residual")
    return Part(
        _read(kind, value[value["does"]]),
        reads=reads if isinstance(reads, str) else reads["norm_of"],
        **fields,
    )


def _read(kind: Any, value: Any) -> Any:
    """The value of a field of that type."""
    arguments = [each for each in typing.get_args(kind) if each is not type(None)]
    if value is None or not (arguments or dataclasses.is_dataclass(kind)):
        return value
    if typing.get_origin(kind) is tuple:
        return tuple(_read(arguments[0], each) for each in value)
    return _read(arguments[0], value) if arguments else kind(**_read_fields(kind, value))


def _read_fields(kind: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {name: _read(hint, value[name]) for name, hint in hints.items() if name in value}


def sequential(attention: Attention, ffn: Ffn | Experts, norm: Norm) -> Layer:
    """A layer as Llama's: x + attention(norm(x)), then x + ffn(norm(x))."""
    return Layer((Part(attention, before=norm), Part(ffn, before=norm, group=1)))


def parallel(attention: Attention, ffn: Ffn | Experts, norm: Norm, n_norms: int) -> Layer:
    """A layer as Falcon's: x + attention(norm(x)) + ffn(norm(x)).

    Both share one norm or have one each (2).
    """
    network = Part(ffn, before=norm) if n_norms > 1 else Part(ffn, reads=0)
    return Layer((Part(attention, before=norm), network))


def attention_scale(head_dim: int) -> float:
    """1 / sqrt(head_dim)."""
    return 1 / math.sqrt(head_dim)


def rope(dims: int, frequencies: Iterable[float], attention_factor: float = 1.0) -> Rope:
    """Rope of halves, its numbers rounded to float32."""
    rounded = tuple(float(np.float32(each)) for each in frequencies)
    return Rope("halves", dims, rounded, float(np.float32(attention_factor)))


# Frequencies in radians a position, [dims / 2], in float64. A scaling that is not here (longrope,
# dynamic, proportional) is a function more, and a row in `Fields.rope` (fields.py), which reads its
# numbers from a config.


def default_frequencies(dims: int, theta: float) -> list[float]:
    """1 / theta ^ (2 i / dims) (arXiv:2104.09864).

    Example:
        >>> default_frequencies(4, 100.0)
        [1.0, 0.1]
    """
    return [1 / theta ** (2 * i / dims) for i in range(dims // 2)]


def linear_frequencies(frequencies: Sequence[float], factor: float) -> list[float]:
    """All of them slower by a factor (transformers, rope type "linear")."""
    return [frequency / factor for frequency in frequencies]


def llama3_frequencies(
    frequencies: Sequence[float], factor: float, low: float, high: float, original_context: float
) -> list[float]:
    """Slow ones slower by a factor, fast ones as they are, a smooth passage between.

    This is rope type "llama3".

    Args:
        frequencies: Not scaled.
        factor: Of those that turn less than ``low`` times in the original context.
        low: As above.
        high: Those that turn more often stay as they are.
        original_context: Positions.
    """
    result = []
    for frequency in frequencies:
        wave = 2 * math.pi / frequency
        if wave > original_context / low:
            result.append(frequency / factor)
        elif wave < original_context / high:
            result.append(frequency)
        else:
            smooth = (original_context / wave - low) / (high - low)
            result.append((1 - smooth) * frequency / factor + smooth * frequency)
    return result


def yarn_frequencies(
    frequencies: Sequence[float],
    theta: float,
    factor: float,
    original_context: float,
    *,
    fast: float = 32.0,
    slow: float = 1.0,
    whole: bool = True,
) -> list[float]:
    """Slow ones slower by a factor, fast ones as they are, a straight passage between.

    This is YaRN (arXiv:2309.00071).

    Args:
        frequencies: Not scaled.
        theta: Their base.
        factor: Of those that turn less than ``slow`` times in the original context.
        original_context: Positions.
        fast: Those that turn more often stay as they are.
        slow: As above.
        whole: Whether the ends of the passage are rounded to whole numbers of frequencies.
    """
    dims = 2 * len(frequencies)

    def turning(times: float) -> float:
        """Which frequency turns so many times."""
        return dims * math.log(original_context / (times * 2 * math.pi)) / (2 * math.log(theta))

    begin, end = turning(fast), turning(slow)
    if whole:
        begin, end = math.floor(begin), math.ceil(end)
    begin, end = max(begin, 0), min(end, dims - 1)
    if begin == end:
        end += 0.001
    slowed = [min(max((at - begin) / (end - begin), 0.0), 1.0) for at in range(len(frequencies))]
    return [
        each / factor * share + each * (1 - share)
        for each, share in zip(frequencies, slowed, strict=True)
    ]


def yarn_attention_factor(factor: float, scale: float = 1.0) -> float:
    """What YaRN multiplies cosines and sines with: 0.1 * scale * ln(factor) + 1.

    Example:
        >>> yarn_attention_factor(1.0)
        1.0
    """
    return 0.1 * scale * math.log(factor) + 1 if factor > 1 else 1.0

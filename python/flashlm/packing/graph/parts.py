# SPDX-License-Identifier: Apache-2.0
"""parts.py: what a layer is made of, in the words of docs/graph.md."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TypeVar

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

# SPDX-License-Identifier: Apache-2.0
"""graph.py: a whole model of one decoder, and its JSON in flashlm.json."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flashlm.packing.graph.parts import (
    SPARSE,
    Attention,
    Embedding,
    Experts,
    Ffn,
    Head,
    Layer,
    Norm,
    Part,
)

_DOES: Mapping[type[Attention | Ffn | Experts], str] = {
    Attention: "attention",
    Ffn: "ffn",
    Experts: "experts",
}


@dataclass(frozen=True)
class Graph:
    """A whole model of one decoder."""

    dim: int
    vocab_size: int
    max_context: int
    layers: tuple[Layer, ...]
    final_norm: Norm
    head: Head
    embedding: Embedding = Embedding()  # noqa: RUF009 - it cannot change

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

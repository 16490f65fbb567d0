# SPDX-License-Identifier: Apache-2.0
"""names.py: what a family's files call its tensors, and flashlm's names for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """The names of one kind of file, and flashlm's.

    A checkpoint may have been saved from an inner part of the model, or from a larger one around
    it, so that the names of what is in it begin otherwise.

    Attributes:
        top: Their name -> flashlm's, of tensors that no layer has and no prefix precedes.
        body: The same behind a prefix.
        in_layer: What follows the number of a layer -> what follows ``layers.N.`` in flashlm's
            name.
        layers: What stands before the number of a layer.
        prefixes: What may stand before the names of ``body`` and before ``layers``; the first is
            the usual one.
        skipped: Full names of tensors that follow from others, or belong to a part that is not run.
    """

    top: Mapping[str, str]
    in_layer: Mapping[str, str]
    body: Mapping[str, str]
    layers: str
    prefixes: tuple[str, ...] = ("",)
    skipped: str = ""

    def ours(self, theirs: str) -> str | None:
        """The name that flashlm gives; None for a tensor that the family does not have."""
        if theirs in self.top:
            return self.top[theirs]
        for prefix in self.prefixes:
            rest = theirs.removeprefix(prefix)
            if not theirs.startswith(prefix):
                continue
            if rest in self.body:
                return self.body[rest]
            match = re.fullmatch(re.escape(self.layers) + r"\.(0|[1-9][0-9]*)\.(.+)", rest)
            if match and match[2] in self.in_layer:
                return f"layers.{match[1]}.{self.in_layer[match[2]]}"
        return None

    def theirs(self, ours: str) -> str:
        """The usual name of a tensor that flashlm calls `ours`."""
        parts = ours.split(".", 2)
        top, body, in_layer = (_inverse(names) for names in (self.top, self.body, self.in_layer))
        if ours in top:
            return top[ours]
        rest = (
            f"{self.layers}.{parts[1]}.{in_layer[parts[2]]}" if parts[0] == "layers" else body[ours]
        )
        return self.prefixes[0] + rest

    def skips(self, theirs: str) -> bool:
        """Whether a tensor is not packed."""
        return re.fullmatch(self.skipped, theirs) is not None


def _inverse(names: Mapping[str, str]) -> dict[str, str]:
    return {ours: theirs for theirs, ours in reversed(list(names.items()))}


def with_biases(names: Mapping[str, str], *ours: str) -> dict[str, str]:
    """The same names, and those of biases beside the weights that flashlm calls `ours`.

    All of them if none is said.

    Example:
        >>> theirs = {"self_attn.q_proj.weight": "q", "input_layernorm.weight": "attention_norm"}
        >>> with_biases(theirs, "q")["self_attn.q_proj.bias"]
        'q_bias'
    """
    biases = {
        theirs.removesuffix("weight") + "bias": f"{name}_bias"
        for theirs, name in names.items()
        if theirs.endswith(".weight") and (not ours or name in ours)
    }
    return {**names, **biases}

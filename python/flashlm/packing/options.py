# SPDX-License-Identifier: Apache-2.0
"""options.py: how a source is packed, after what the caller asked for has been checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from flashlm import _core
from flashlm._core import ArgumentError
from flashlm._engine.checks import MOST_32_BITS, refuse, whole
from flashlm.packing.formats.dtypes import QUANTISED, ROUNDED, choose
from flashlm.packing.sources.source import Source

FORMAT_VERSION = 3
_WEIGHTS_VERSION = 2  # of the files of weights, which format 3 did not change


@dataclass(frozen=True)
class Options:
    """How a source is packed, after "source" and "auto" are resolved."""

    dtypes: Mapping[str, str]  # of every tensor
    neurons_per_bundle: int

    @classmethod
    def resolve(cls, source: Source, dtype: str, neurons_per_bundle: int | str) -> Options:
        """Checks what the caller asked for.

        Raises:
            ArgumentError: Another word or number than is documented, or single neurons of a
                quantised layer.
        """
        if dtype not in ("source", *ROUNDED):
            refuse("pack", "dtype", f"'source', {', '.join(map(repr, ROUNDED))}", dtype)
        kinds = {name: weight.kind for name, weight in source.weights.items()}
        shapes = {name: weight.shape for name, weight in source.weights.items()}
        dtypes = choose(kinds, shapes, dtype)
        quantised = sorted(
            {each for name, each in dtypes.items() if name.endswith(".down")} & set(QUANTISED)
        )
        # Single neurons where some can be left out.
        auto = 1 if source.graph.is_sparse and not quantised else _core.bundle_neurons
        if isinstance(neurons_per_bundle, str):
            if neurons_per_bundle != "auto":
                refuse(
                    "pack",
                    "neurons_per_bundle",
                    "'auto' or a number of at least 1",
                    neurons_per_bundle,
                )
            per_bundle = auto
        else:
            per_bundle = whole(
                neurons_per_bundle, "neurons_per_bundle", where="pack", least=1, most=MOST_32_BITS
            )
        per_bundle = min(per_bundle, source.graph.ffn.hidden)
        if quantised and per_bundle != _core.bundle_neurons:
            raise ArgumentError(
                f"[pack] neurons_per_bundle: expected {_core.bundle_neurons} for {quantised[0]}, "
                f"got {per_bundle}: a "
                f"block of the down matrix spans {_core.bundle_neurons} neurons, and cutting it "
                f"would mean rounding "
                "again. Pack with dtype='f16', which loses little, for another number."
            )
        return cls(dtypes, per_bundle)

    def layer_dtypes(self) -> list[str]:
        """The number format of the neurons, layer by layer."""
        return [dtype for name, dtype in self.dtypes.items() if name.endswith(".down")]

    @property
    def dtype(self) -> str:
        """The number format of the neurons; "mixed" where layers differ."""
        dtypes = set(self.layer_dtypes())
        return dtypes.pop() if len(dtypes) == 1 else "mixed"

    def fingerprint(self, source: Source) -> str:
        """64 hex digits that say which folder would come out."""
        dtypes = json.dumps(self.dtypes, sort_keys=True)
        text = f"{source.fingerprint()} {dtypes} {self.neurons_per_bundle} {_WEIGHTS_VERSION}"
        return hashlib.sha256(text.encode()).hexdigest()

# SPDX-License-Identifier: Apache-2.0
"""options.py: how a source is packed, after what the caller asked for has been checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from flashlm._core import ArgumentError
from flashlm._engine.checks import MOST_32_BITS, refuse, whole
from flashlm.packing.formats.dtypes import FORMATS, QUANTISED, ROUNDED, choose, is_network
from flashlm.packing.sources.source import Source

FORMAT_VERSION = 4
_WEIGHTS_VERSION = 2  # of bundles and resident weights, which later formats did not change


@dataclass(frozen=True)
class Options:
    """How a source is packed, after "source" and "auto" are resolved."""

    dtypes: Mapping[str, str]  # of every tensor
    neurons_per_bundle: int | None  # None: no bundles, each matrix by itself

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
        shared = choose(kinds, shapes, dtype, bundled=True)
        quantised = sorted({each for name, each in shared.items() if is_network(name)} & QUANTISED)
        own = choose(kinds, shapes, dtype)
        if isinstance(neurons_per_bundle, str):
            if neurons_per_bundle != "auto":
                refuse(
                    "pack",
                    "neurons_per_bundle",
                    "'auto' or a number of at least 1",
                    neurons_per_bundle,
                )
            # Single neurons where some can be left out.
            single = source.graph.is_sparse and not quantised
            return cls(shared, 1) if single else cls(own, None)
        per_bundle = whole(
            neurons_per_bundle, "neurons_per_bundle", where="pack", least=1, most=MOST_32_BITS
        )
        if quantised:
            raise ArgumentError(
                f"[pack] neurons_per_bundle: expected 'auto' for {quantised[0]}, got {per_bundle}: "
                f"a block of the down matrix spans {FORMATS[quantised[0]].numbers} neurons, and "
                "cutting it would mean rounding again. Pack with dtype='f16', which loses little, "
                "for bundles."
            )
        return cls(shared, min(per_bundle, source.graph.ffn.hidden))

    @property
    def dtype(self) -> str:
        """The number format of the feed-forward networks; "mixed" where they have several."""
        dtypes = {dtype for name, dtype in self.dtypes.items() if is_network(name)}
        return dtypes.pop() if len(dtypes) == 1 else "mixed"

    def fingerprint(self, source: Source) -> str:
        """64 hex digits that say which folder would come out."""
        dtypes = json.dumps(self.dtypes, sort_keys=True)
        text = f"{source.fingerprint()} {dtypes} {self.neurons_per_bundle} {_WEIGHTS_VERSION}"
        return hashlib.sha256(text.encode()).hexdigest()

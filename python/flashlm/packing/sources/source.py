# SPDX-License-Identifier: Apache-2.0
"""source.py: what is packed.

A graph, weights that can be read in runs of rows, and the small files beside them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashlm._core import FormatError
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Graph
from flashlm.packing.graph.tensors import Tensor
from flashlm.packing.tokenizers.tokens import Tokens

Progress = Callable[[str, int, int], None]

# Matrices that are one where a model ties them: a file may hold it under any of these names, which
# are flashlm's.
TIED = (("embedding", "head"),)


@dataclass(frozen=True)
class Source:
    """A model that can be packed.

    ``weights`` holds exactly ``tensors``, those of the graph, under flashlm's names and checked for
    shape.
    """

    kind: str  # "gguf" or "huggingface"
    name: str
    family: str
    graph: Graph
    tokens: Tokens
    tensors: Sequence[Tensor]  # in the order of a pass
    weights: Mapping[str, Weight]
    small_files: Mapping[str, bytes]  # file name in the packed folder -> content
    weight_files: Sequence[Path]
    header_sha256: Mapping[str, str]  # name of a weight file -> hash of its header

    def describe(self) -> dict[str, Any]:
        """The `source` entry of flashlm.json: the same for every copy of the same files."""
        kinds: dict[str, int] = {}
        for weight in self.weights.values():
            kinds[weight.kind] = kinds.get(weight.kind, 0) + 1
        return {
            "kind": self.kind,
            "name": self.name,
            "files": [
                {
                    "name": file.name,
                    "bytes": file.stat().st_size,
                    "header_sha256": self.header_sha256[file.name],
                }
                for file in self.weight_files
            ],
            "tensor_types": dict(sorted(kinds.items())),
        }

    def fingerprint(self) -> str:
        """64 hex digits that tell whether a source has changed.

        They are of names, sizes, times and headers of the weight files and of the content of the
        small ones.

        Weights themselves are not read: a file that was rewritten in place has another time.
        """
        times = [file.stat().st_mtime_ns for file in self.weight_files]
        small = {name: hashlib.sha256(data).hexdigest() for name, data in self.small_files.items()}
        text = json.dumps([self.describe(), times, small], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def untie(weights: dict[str, Weight]) -> bool:
    """Settles what matrices that the config ties are called, as transformers does.

    Of two names for the same numbers the first of `TIED` stays; where only one of the names is
    there, the matrix gets the first. Where two differ, both are meant.

    Args:
        weights: By flashlm's names; changed.

    Returns:
        Whether two differ, so that the model is not tied.
    """
    differ = False
    for names in TIED:
        first, *others = [name for name in names if name in weights] or [names[0]]
        same = [name for name in others if weights[name].equals(weights[first])]
        differ = differ or len(same) < len(others)
        for name in same:
            del weights[name]
        if first in weights and first != names[0]:
            weights[names[0]] = weights.pop(first)
    return differ


def match_tensors(
    tensors: Sequence[Tensor], weights: Mapping[str, Weight], graph: Graph, place: Path
) -> dict[str, Weight]:
    """Checks that `weights` (by flashlm's names) are exactly the tensors of a graph, in shape too.

    Raises:
        FormatError: One is missing, has another shape, or is left over; names file and tensor.
    """
    result: dict[str, Weight] = {}
    for name, shape, _, _ in tensors:
        weight = weights.get(name)
        if weight is None:
            raise FormatError(
                f"[pack] tensors: expected {name} {list(shape)}, which is missing ({place}). "
                f"{len(graph.layers)} layers are expected, {len(weights)} tensors were found."
            )
        if weight.shape != shape:
            raise FormatError(
                f"[pack] shape: expected {list(shape)}, got {list(weight.shape)} ({weight.file}, "
                f"{weight.name})"
            )
        result[name] = weight
    for name, weight in weights.items():
        if name not in result:
            raise FormatError(
                f"[pack] tensors: the config has no place for {weight.name} ({weight.file})."
            )
    return result

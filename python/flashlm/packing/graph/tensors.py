# SPDX-License-Identifier: Apache-2.0
"""tensors.py: the one list of a model's weights, as the engine says it of a graph."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from flashlm import _core
from flashlm.packing.graph.graph import Graph


class Tensor(NamedTuple):
    """A weight: its name in flashlm, its shape, what it is, and its place in a pass.

    A place of None means: always in DRAM. Places are those without bundles.

    ``kind`` is "vector", "table", "rows" (of the embedding), "matrix" (tiles where quantised),
    "neurons" (of a feed-forward network) or "head".
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    segment: int | None


def tensors_of(graph: Graph, path: Path | str) -> list[Tensor]:
    """The weights of a graph, in the order of a pass.

    Args:
        graph: The model's.
        path: Where it is from, for messages.

    Raises:
        FormatError: The engine does not compute it; names the field. Opening a packed folder raises
            the same.
    """
    return [Tensor(*each) for each in _core.graph_tensors(graph.text(), str(path))]

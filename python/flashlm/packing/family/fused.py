# SPDX-License-Identifier: Apache-2.0
"""fused.py: matrices that a file keeps as one, cut into those of the graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from flashlm._core import FormatError
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Graph


def split_qkv(
    name: str, weight: Weight, graph: Graph, *, in_groups: bool = False
) -> Mapping[str, Weight]:
    """Queries, keys and values, if the tensor is all of them; else the tensor.

    Args:
        name: flashlm's: ``layers.N.qkv`` or ``layers.N.qkv_bias`` is cut.
        weight: All queries, then all keys, then all values, unless ``in_groups``. Its rows are
            outputs; a bias is one number an output.
        graph: Says how many heads of which size.
        in_groups: Whether it holds, for each head of keys, its heads of queries, the keys and the
            values.
    """
    end = next((end for end in ("qkv", "qkv_bias") if name.endswith(f".{end}")), None)
    if end is None:
        return {name: weight}
    heads, kv_heads, size = (
        graph.attention.heads,
        graph.attention.kv_heads,
        graph.attention.head_dim,
    )
    rows = _rows(weight, (heads + 2 * kv_heads) * size)
    if in_groups:
        groups = rows.reshape(kv_heads, heads // kv_heads + 2, size)
        parts = [groups[:, :-2].ravel(), groups[:, -2].ravel(), groups[:, -1].ravel()]
    else:
        parts = np.split(rows, [heads * size, (heads + kv_heads) * size])
    before, after = name.removesuffix(end), end.removeprefix("qkv")
    return {
        f"{before}{part}{after}": weight.take(rows) for part, rows in zip("qkv", parts, strict=True)
    }


def split_gate_up(name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
    """The gate and, behind it, `up`, if the tensor is both (``layers.N.gate_up``).

    Else the tensor.
    """
    if not name.endswith(".gate_up"):
        return {name: weight}
    rows = np.split(_rows(weight, 2 * graph.ffn.hidden), 2)
    before = name.removesuffix("gate_up")
    return {f"{before}gate": weight.take(rows[0]), f"{before}up": weight.take(rows[1])}


def _rows(weight: Weight, expected: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if weight.shape[0] != expected:
        raise FormatError(
            f"[pack] shape: expected {expected} rows, got {list(weight.shape)} ({weight.file}, "
            f"{weight.name}). "
            "The sizes in the config and the tensors disagree."
        )
    return np.arange(expected)

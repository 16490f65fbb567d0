# SPDX-License-Identifier: Apache-2.0
"""_store.py: writes predictor.safetensors (docs/format.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flashlm import _core
from flashlm.packing.selector_file import write_selector_file
from flashlm.training._predictor import Array, Predictor

FILE = "predictor.safetensors"


def quantised(matrix: Array) -> NDArray[np.uint8]:
    """[rows, row bytes] of q8_0."""
    from gguf import GGMLQuantizationType as Kind
    from gguf import quants

    return np.asarray(quants.quantize(matrix, Kind.Q8_0), np.uint8)


def rounded(matrix: Array, dtype: str) -> Array:
    """The numbers that are left of a matrix when it is stored as "q8_0" or "f16"."""
    if dtype == "f16":
        return matrix.astype(np.float16).astype(np.float32)
    from gguf import GGMLQuantizationType as Kind
    from gguf import quants

    return np.asarray(quants.dequantize(quantised(matrix), Kind.Q8_0), np.float32)


def write(
    path: Path,
    layers: Sequence[tuple[Predictor | None, float]],
    dtype: str,
    model: str,
    selected: float | None = None,
    *,
    hollow: bool = False,
) -> None:
    """Writes the file, whole or not at all.

    Args:
        path: Where to.
        layers: Each layer's predictor and threshold; None takes every neuron.
        dtype: Of the matrices: "q8_0" or "f16".
        model: The `weights_fingerprint` of the model.
        selected: The share of neurons that the predictors select, if it was measured.
        hollow: With holes in the place of numbers, of which only the shapes are looked at: to plan
            with.
    """
    metadata = {} if selected is None else {"selected": f"{selected:.6f}"}
    tensors = dict(_tensors(layers, dtype, hollow=hollow))
    write_selector_file(path, "predictor", model, tensors, metadata, hollow=hollow)


def _tensors(
    layers: Sequence[tuple[Predictor | None, float]], dtype: str, *, hollow: bool
) -> Iterator[tuple[str, NDArray[Any]]]:
    for layer, (predictor, threshold) in enumerate(layers):
        if predictor is None:
            continue
        for name, matrix in (("a", predictor.reduce), ("b", predictor.expand)):
            if hollow and dtype == "q8_0":
                stored: NDArray[Any] = np.empty(
                    (len(matrix), _core.row_bytes(dtype, matrix.shape[1])), np.uint8
                )
            else:
                stored = quantised(matrix) if dtype == "q8_0" else matrix.astype(np.float16)
            yield f"layers.{layer}.{name}", np.ascontiguousarray(stored)
        yield f"layers.{layer}.bias", predictor.bias
        yield f"layers.{layer}.threshold", np.array([threshold], np.float32)

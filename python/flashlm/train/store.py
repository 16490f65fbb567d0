# SPDX-License-Identifier: Apache-2.0
"""store.py: writes predictor.safetensors (docs/format.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flashlm import _core
from flashlm.pack.files import sync_folder

if TYPE_CHECKING:
    from flashlm.train.fit import Array, Predictor

FILE = "predictor.safetensors"
_FORMAT = {"format": "flashlm predictor", "format_version": "1"}
_CHECKSUMS = "tensor_checksums"


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
) -> None:
    """Writes the file, whole or not at all.

    Args:
        path: Where to.
        layers: Each layer's predictor and threshold; None takes every neuron.
        dtype: Of the matrices: "q8_0" or "f16".
        model: The `weights_fingerprint` of the model.
        selected: The share of neurons that the predictors select, if it was measured.
    """
    tensors = dict(_tensors(layers, dtype))
    tags = {"float32": "f32", "float16": "f16", "uint8": "u8"}
    specs = [(name, tags[value.dtype.name], list(value.shape)) for name, value in tensors.items()]
    beside = path.with_name(path.name + ".new")
    metadata = {**_FORMAT, "model": model}
    if selected is not None:
        metadata["selected"] = f"{selected:.6f}"
    writer = _core.SafetensorsWriter(str(beside), [*specs, (_CHECKSUMS, "u8", [len(specs), 4])], metadata)
    sums = []
    for name in writer.order():
        if name != _CHECKSUMS:
            sums.append(int(_core.crc32(tensors[name].tobytes())))
            writer.write(name, tensors[name])
    writer.write(_CHECKSUMS, np.array(sums, "<u4").view(np.uint8).reshape(-1, 4))  # its name is the last
    writer.finish()
    beside.replace(path)
    sync_folder(path.parent)


def _tensors(layers: Sequence[tuple[Predictor | None, float]], dtype: str) -> Iterator[tuple[str, NDArray[Any]]]:
    for layer, (predictor, threshold) in enumerate(layers):
        if predictor is None:
            continue
        for name, matrix in (("a", predictor.reduce), ("b", predictor.expand)):
            stored = quantised(matrix) if dtype == "q8_0" else matrix.astype(np.float16)
            yield f"layers.{layer}.{name}", np.ascontiguousarray(stored)
        yield f"layers.{layer}.bias", predictor.bias
        yield f"layers.{layer}.threshold", np.array([threshold], np.float32)

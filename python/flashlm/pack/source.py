# SPDX-License-Identifier: Apache-2.0
"""source.py: what is packed: weights that can be read in runs of rows, and the small files beside them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flashlm._core import FormatError
from flashlm.pack.config import ModelConfig
from flashlm.pack.files import read_exactly

FloatArray = npt.NDArray[np.floating[Any]]  # float32 or float16
Progress = Callable[[str, int, int], None]

RUN_BYTES = 8 << 20  # float32 bytes of a run of rows: the working memory of packing beside one layer's down matrix
F16_MAX = 65504.0


@dataclass(frozen=True)
class Weight:
    """One tensor of a source file, stored row after row.

    ``shape`` is in Hugging Face order, outermost first; a vector counts as one row. ``kind`` is the tensor type in the
    source's own words, such as ``BF16`` or ``Q4_1``. Where ``interleaved_head_dim`` is not 0, the rows of each head are
    in llama.cpp's order (pairs side by side) and reading brings them into Hugging Face's (half rotation).
    """

    name: str
    file: Path
    kind: str
    shape: tuple[int, ...]
    offset: int
    row_bytes: int
    interleaved_head_dim: int = 0

    @property
    def n_rows(self) -> int:
        """Rows; a vector has one."""
        return self.shape[0] if len(self.shape) > 1 else 1

    @property
    def n_columns(self) -> int:
        """Numbers in a row."""
        return self.shape[-1]

    @property
    def is_quantised(self) -> bool:
        """Whether the numbers are stored in blocks with a common scale."""
        return self.kind not in ("F32", "F16", "BF16")

    def runs(self, multiple_of: int = 1) -> Iterator[tuple[int, int]]:
        """Row ranges of at most `RUN_BYTES` (but at least one unit), cut at multiples of `multiple_of` rows."""
        unit = math.lcm(multiple_of, self.interleaved_head_dim or 1)
        rows = max(1, RUN_BYTES // (4 * self.n_columns * unit)) * unit
        for begin in range(0, self.n_rows, rows):
            yield begin, min(begin + rows, self.n_rows)

    def stored(self, begin: int, end: int) -> npt.NDArray[np.uint8]:
        """Rows ``begin`` to ``end`` as the file has them: [end - begin, row_bytes]."""
        data = read_exactly(self.file, self.offset + begin * self.row_bytes, (end - begin) * self.row_bytes)
        return np.frombuffer(data, np.uint8).reshape(end - begin, self.row_bytes)

    def rows(self, begin: int, end: int, dtype: str) -> FloatArray:
        """Rows ``begin`` to ``end`` as [end - begin, n_columns] of ``dtype`` ("f32" or "f16").

        Raises:
            FormatError: The file ends early, or holds a number that is not finite or does not fit into ``dtype``.
            IoError: The file cannot be read.
        """
        array = self._decode(self.stored(begin, end))
        if self.interleaved_head_dim:
            half = self.interleaved_head_dim // 2
            pairs = array.reshape(-1, half, 2, self.n_columns)
            array = pairs.swapaxes(1, 2).reshape(end - begin, self.n_columns)
        return self._convert(array, dtype)

    def _decode(self, data: npt.NDArray[np.uint8]) -> FloatArray:
        if self.kind == "F32":
            return data.view("<f4").astype(np.float32, copy=False)
        if self.kind == "F16":
            return data.view("<f2").astype(np.float16, copy=False)
        if self.kind == "BF16":
            return (data.view("<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        # A foreign scale may be anything; what matters is checked on the result.
        with np.errstate(all="ignore"):
            return np.asarray(dequantize(data, GGMLQuantizationType[self.kind]), np.float32)

    def _convert(self, array: FloatArray, dtype: str) -> FloatArray:
        largest = max(-float(np.min(array)), float(np.max(array)))  # a NaN stays one
        if not math.isfinite(largest):
            raise FormatError(
                f"[pack] weight: expected finite numbers, got {largest} ({self.file}, {self.name}). "
                "Is the file damaged, or did training diverge?"
            )
        if dtype == "f16" and largest > F16_MAX:
            raise FormatError(
                f"[pack] weight: expected at most {F16_MAX:.0f} (the largest f16 number), got {largest:g} "
                f"({self.file}, {self.name}). Pack it with dtype='f32'."
            )
        return np.ascontiguousarray(array, dtype=numpy_dtype(dtype))


@dataclass(frozen=True)
class Source:
    """A model that can be packed.

    ``weights`` holds exactly the tensors of ``config.tensors()``, under flashlm's names and checked for shape.
    """

    kind: str  # "gguf" or "huggingface"
    name: str
    config: ModelConfig
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
                {"name": file.name, "bytes": file.stat().st_size, "header_sha256": self.header_sha256[file.name]}
                for file in self.weight_files
            ],
            "tensor_types": dict(sorted(kinds.items())),
        }

    def fingerprint(self) -> str:
        """64 hex digits over names, sizes, times and headers of the weight files and the content of the small ones.

        Weights themselves are not read: a file that was rewritten in place has another time.
        """
        times = [file.stat().st_mtime_ns for file in self.weight_files]
        small = {name: hashlib.sha256(data).hexdigest() for name, data in self.small_files.items()}
        text = json.dumps([self.describe(), times, small], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def native_dtype(self) -> str:
        """What dtype="source" means: f16 where that is all the matrices hold, f32 where one needs it to be exact.

        Quantised types become f16; f32 stays f32; bf16 becomes f32, which holds it exactly.
        """
        matrices = [weight for weight in self.weights.values() if len(weight.shape) > 1]
        return "f32" if any(weight.kind in ("F32", "BF16") for weight in matrices) else "f16"


def numpy_dtype(dtype: str) -> np.dtype[np.floating[Any]]:
    """The numpy type of "f32" or "f16"."""
    return np.dtype(np.float16 if dtype == "f16" else np.float32)


def match_tensors(config: ModelConfig, weights: Mapping[str, Weight], place: Path) -> dict[str, Weight]:
    """Checks that `weights` (by flashlm's names) are exactly the tensors of `config`, in shape too.

    Raises:
        FormatError: One is missing, has another shape, or is left over; names file and tensor.
    """
    result: dict[str, Weight] = {}
    for name, shape in config.tensors():
        weight = weights.get(name)
        if weight is None:
            raise FormatError(
                f"[pack] tensors: expected {name} {list(shape)}, which is missing ({place}). "
                f"{config.n_layers} layers are expected, {len(weights)} tensors were found."
            )
        if weight.shape != shape:
            raise FormatError(
                f"[pack] shape: expected {list(shape)}, got {list(weight.shape)} ({weight.file}, {weight.name})"
            )
        result[name] = weight
    for name, weight in weights.items():
        if name not in result:
            raise FormatError(f"[pack] tensors: the config has no place for {weight.name} ({weight.file}).")
    return result

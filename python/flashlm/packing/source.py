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

from flashlm import _core
from flashlm._core import FormatError
from flashlm.packing.config import ModelConfig
from flashlm.packing.dtypes import FORMATS, NATIVE
from flashlm.packing.files import read_exactly

Bytes = npt.NDArray[np.uint8]
Progress = Callable[[str, int, int], None]

# Matrices that are one where a model ties them: a file may hold it under any of these names, which are flashlm's.
TIED = (("embedding", "head"),)

RUN_BYTES = 8 << 20  # float32 bytes of a run of rows: the working memory of packing beside one layer's down matrix


@dataclass
class Loss:
    """What rounding has lost of some numbers: sums of squares."""

    squares: float = 0.0
    squared_error: float = 0.0

    def add(self, squares: float, squared_error: float) -> None:
        """More numbers."""
        self.squares += squares
        self.squared_error += squared_error

    @property
    def relative_rms(self) -> float:
        """The root mean square of the errors, over that of the numbers."""
        return math.sqrt(self.squared_error / self.squares) if self.squares else 0.0


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

    def runs(self, multiple_of: int = 1) -> Iterator[tuple[int, int]]:
        """Row ranges of at most `RUN_BYTES` (but at least one unit), cut at multiples of `multiple_of` rows."""
        unit = math.lcm(multiple_of, self.interleaved_head_dim or 1)
        rows = max(1, RUN_BYTES // (4 * self.n_columns * unit)) * unit
        for begin in range(0, self.n_rows, rows):
            yield begin, min(begin + rows, self.n_rows)

    def stored(self, begin: int, end: int) -> Bytes:
        """Rows ``begin`` to ``end`` as the file has them: [end - begin, row_bytes]."""
        data = read_exactly(self.file, self.offset + begin * self.row_bytes, (end - begin) * self.row_bytes)
        return np.frombuffer(data, np.uint8).reshape(end - begin, self.row_bytes)

    def equals(self, other: Weight) -> bool:
        """Whether the two hold the same numbers in the same format, byte for byte."""
        if (self.shape, self.kind, self.interleaved_head_dim) != (other.shape, other.kind, other.interleaved_head_dim):
            return False
        return all(np.array_equal(self.stored(*run), other.stored(*run)) for run in self.runs())

    def rows(self, begin: int, end: int, dtype: str, loss: Loss | None = None) -> npt.NDArray[Any]:
        """Rows ``begin`` to ``end`` in a number format, as `flashlm._core` takes them.

        That is [end - begin, n_columns] of float32, float16 or unsigned integers that hold the bits of a number, and
        [end - begin, bytes] of uint8 for blocks. What the source holds in that format is not touched.

        Args:
            begin: The first row.
            end: The row behind the last.
            dtype: The name of a number format.
            loss: Told what the conversion loses.

        Raises:
            FormatError: The file ends early, or holds a number that is not finite or does not fit into ``dtype``.
            IoError: The file cannot be read.
        """
        data = self.stored(begin, end)
        if self.interleaved_head_dim:
            half = self.interleaved_head_dim // 2
            pairs = data.reshape(-1, half, 2, self.row_bytes)
            data = pairs.swapaxes(1, 2).reshape(end - begin, self.row_bytes)
        native, array = self._decode(data)
        rows, largest, squares, squared_error = _core.requantise(array, native, dtype)
        self._check(largest, dtype)
        if loss is not None:
            loss.add(squares, squared_error)
        return rows

    def _decode(self, data: Bytes) -> tuple[str, npt.NDArray[Any]]:
        """The rows in a number format that flashlm computes with, and which one that is."""
        native = NATIVE.get(self.kind)
        if native is not None:
            return native, data.view(numpy_dtype(native))
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        # A foreign scale may be anything; what matters is checked on the result.
        with np.errstate(all="ignore"):
            return "f32", np.asarray(dequantize(data, GGMLQuantizationType[self.kind]), np.float32)

    def _check(self, largest: float, dtype: str) -> None:
        if not math.isfinite(largest):
            raise FormatError(
                f"[pack] weight: expected finite numbers, got {largest} ({self.file}, {self.name}). "
                "Is the file damaged, or did training diverge?"
            )
        if largest > FORMATS[dtype].largest:
            raise FormatError(
                f"[pack] weight: expected at most {FORMATS[dtype].largest:.6g} (the largest {dtype} "
                f"number), got {largest:g} ({self.file}, {self.name}). Pack it with dtype='f32'."
            )


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


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """The numpy type of rows of a number format, as `flashlm._core` takes them."""
    return FORMATS[dtype].numpy


def untie(weights: dict[str, Weight]) -> bool:
    """Settles what matrices that the config ties are called, as transformers does.

    Of two names for the same numbers the first of `TIED` stays; where only one of the names is there, the matrix gets
    the first. Where two differ, both are meant.

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

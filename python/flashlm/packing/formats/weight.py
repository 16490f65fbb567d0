# SPDX-License-Identifier: Apache-2.0
"""weight.py: one tensor of a source file, read in runs of rows.

They come in the order and form that flashlm wants.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flashlm import _core
from flashlm._core import FormatError
from flashlm._engine.files import read_exactly
from flashlm.packing.formats.dtypes import FORMATS, NATIVE

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

RUN_BYTES = (
    8 << 20
)  # float32 bytes of a run of rows: the working memory of packing beside one layer's down matrix
_NEAR = 2  # rows that are read at once may be this many times those that are wanted


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

    ``shape`` is in Hugging Face order, outermost first, of what is read; a vector counts as one
    row. ``kind`` is the tensor type in the source's own words, such as ``BF16`` or ``Q4_1``. What
    is read may be another order of rows, or some of them (`take`), the columns (`transpose`), or
    the numbers and a constant (`plus`).
    """

    name: str
    file: Path
    kind: str
    shape: tuple[int, ...]
    offset: int
    row_bytes: int  # of the file's rows
    order: Places | None = field(
        default=None, compare=False
    )  # which row of the file each row is; of a vector, number
    transposed: bool = False
    added: float = 0.0

    @property
    def n_rows(self) -> int:
        """Rows; a vector has one."""
        return self.shape[0] if len(self.shape) > 1 else 1

    @property
    def n_columns(self) -> int:
        """Numbers in a row."""
        return self.shape[-1]

    @property
    def n_bytes(self) -> int:
        """Bytes that the rows take in the source's number format."""
        if self.transposed or (self.order is not None and len(self.shape) == 1):
            return math.prod(self.shape) * FORMATS[NATIVE.get(self.kind, "f32")].bytes
        return self.n_rows * self.row_bytes

    def take(self, places: Places | range) -> Weight:
        """The same, of these rows, in this order; of a vector, these numbers.

        Rows of a transposed one are columns.
        """
        order = np.asarray(places, np.int64)
        if self.order is not None:
            order = self.order[order]
        return dataclasses.replace(self, shape=(len(order), *self.shape[1:]), order=order)

    def transpose(self) -> Weight:
        """The same, rows for columns, as a layer that multiplies from the other side keeps it.

        Not for blocks.
        """
        if (
            NATIVE.get(self.kind) is None
            or FORMATS[NATIVE[self.kind]].is_block
            or len(self.shape) != 2  # noqa: PLR2004
        ):
            raise FormatError(
                f"[pack] weight: expected a matrix of plain numbers to transpose, got {self.kind} "
                f"{list(self.shape)} ({self.file}, {self.name})"
            )
        return dataclasses.replace(self, shape=self.shape[::-1], transposed=not self.transposed)

    def plus(self, constant: float) -> Weight:
        """The same, its numbers, as float32, and a constant."""
        return dataclasses.replace(self, added=self.added + constant)

    def runs(self, multiple_of: int = 1) -> Iterator[tuple[int, int]]:
        """Row ranges of at most `RUN_BYTES`, cut at multiples of `multiple_of` rows.

        They have at least one unit.
        """
        rows = max(1, RUN_BYTES // (4 * self.n_columns * multiple_of)) * multiple_of
        for begin in range(0, self.n_rows, rows):
            yield begin, min(begin + rows, self.n_rows)

    def stored(self, begin: int, end: int) -> Bytes:
        """The file's rows ``begin`` to ``end``, as they are there: [end - begin, row_bytes]."""
        data = read_exactly(
            self.file, self.offset + begin * self.row_bytes, (end - begin) * self.row_bytes
        )
        return np.frombuffer(data, np.uint8).reshape(end - begin, self.row_bytes)

    def equals(self, other: Weight) -> bool:
        """Whether the two hold the same numbers in the same format, byte for byte."""
        if (self.shape, self.kind, self.transposed, self.added) != (
            other.shape,
            other.kind,
            other.transposed,
            other.added,
        ):
            return False
        return all(np.array_equal(self._ordered(*run), other._ordered(*run)) for run in self.runs())

    def _ordered(self, begin: int, end: int) -> Bytes:
        """Rows ``begin`` to ``end`` in the source's number format: [end - begin, bytes]."""
        if self.transposed:
            return self._columns(begin, end)
        if len(self.shape) == 1:
            row = self.stored(0, 1)
            if self.order is None:
                return row
            size = FORMATS[NATIVE[self.kind]].bytes
            return np.ascontiguousarray(row.reshape(-1, size)[self.order]).reshape(1, -1)
        if self.order is None:
            return self.stored(begin, end)
        wanted = self.order[begin:end]
        low, high = int(wanted.min()), int(wanted.max()) + 1
        if high - low <= _NEAR * len(wanted):
            return np.ascontiguousarray(self.stored(low, high)[wanted - low])
        cuts = np.flatnonzero(np.diff(wanted) != 1) + 1
        return np.concatenate(
            [self.stored(int(run[0]), int(run[-1]) + 1) for run in np.split(wanted, cuts)]
        )

    def _columns(self, begin: int, end: int) -> Bytes:
        """Columns of the file as rows."""
        size = FORMATS[NATIVE[self.kind]].bytes
        numbers = self.stored(0, self.n_columns).reshape(self.n_columns, -1, size)
        wanted = slice(begin, end) if self.order is None else self.order[begin:end]
        return np.ascontiguousarray(numbers[:, wanted].swapaxes(0, 1)).reshape(end - begin, -1)

    def rows(self, begin: int, end: int, dtype: str, loss: Loss | None = None) -> npt.NDArray[Any]:
        """Rows ``begin`` to ``end`` in a number format, as `flashlm._core` takes them.

        That is [end - begin, n_columns] of float32, float16 or unsigned integers that hold the bits
        of a number, and [end - begin, bytes] of uint8 for blocks. What the source holds in that
        format is not touched.

        Args:
            begin: The first row.
            end: The row behind the last.
            dtype: The name of a number format.
            loss: Told what the conversion loses.

        Raises:
            FormatError: The file ends early, or holds a number that is not finite or does not fit
                into ``dtype``.
            IoError: The file cannot be read.
        """
        native, array = self._decode(self._ordered(begin, end))
        if self.added:
            plain = _core.requantise(array, native, "f32")[0]
            native, array = "f32", plain + np.float32(self.added)
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
                f"[pack] weight: expected finite numbers, got {largest} ({self.file}, "
                f"{self.name}). "
                "Is the file damaged, or did training diverge?"
            )
        if largest > FORMATS[dtype].largest:
            raise FormatError(
                f"[pack] weight: expected at most {FORMATS[dtype].largest:.6g} (the largest "
                f"{dtype} "
                f"number), got {largest:g} ({self.file}, {self.name}). Pack it with dtype='f32'."
            )


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """The numpy type of rows of a number format, as `flashlm._core` takes them."""
    return FORMATS[dtype].numpy

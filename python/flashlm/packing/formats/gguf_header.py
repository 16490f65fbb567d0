# SPDX-License-Identifier: Apache-2.0
"""gguf_header.py: reads the header of a GGUF file, trusting nothing in it.

The `gguf` package has a reader, which loops as often as a flipped count says. Here every count is
checked against the size of the file before it is used. Format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from flashlm._core import FormatError
from flashlm._engine.files import io_error, refuse_foreign

MAGIC = b"GGUF"
_MAX_DIMENSIONS = 4
_MAX_DEPTH = 3  # arrays in arrays
_STRING, _ARRAY, _BOOL = 8, 9, 7
_SCALARS = {
    0: "<u1",
    1: "<i1",
    2: "<u2",
    3: "<i2",
    4: "<u4",
    5: "<i4",
    6: "<f4",
    7: "<u1",
    10: "<u8",
    11: "<i8",
}
_SCALARS[12] = "<f8"


@dataclass(frozen=True)
class GgufTensor:
    """Where a tensor is.

    `shape` is outermost first, `offset` counts from the beginning of `file`.
    """

    name: str
    file: Path
    kind: str
    shape: tuple[int, ...]
    offset: int
    n_bytes: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row; a vector has one row."""
        return self.n_bytes // (self.shape[0] if len(self.shape) > 1 else 1)


@dataclass(frozen=True)
class GgufHeader:
    """Metadata (arrays as lists) and tensors of a GGUF file."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, GgufTensor]
    sha256: str  # of all bytes before the tensor data


def read_header(path: Path) -> GgufHeader:
    """Reads and checks the header of a GGUF file.

    Raises:
        FormatError: The file is not GGUF, is cut short, or its header contradicts itself; names
            file and tensor.
        IoError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _Reader(file, path).header()
    except OSError as error:
        raise io_error("read", error, path) from error


class _Reader:
    def __init__(self, file: BufferedReader, path: Path) -> None:
        self._file = file
        self._path = path
        self._size = path.stat().st_size
        self._offset = 0
        self._hash = hashlib.sha256()

    def header(self) -> GgufHeader:
        first = self._file.peek(512)
        magic = self._take(min(4, self._size))
        if magic != MAGIC:
            refuse_foreign(first, "gguf", self._path)
            raise self._error(f"magic: expected {MAGIC!r}, got {magic!r}")
        version = self._number("<I")
        if version not in (2, 3):
            hint = ". Big-endian files are not supported" if version & 0xFFFF == 0 else ""
            raise self._error(f"version: expected 2 or 3, got {version}{hint}")
        n_tensors, n_values = self._number("<Q"), self._number("<Q")
        self._room(
            n_tensors, 33, "tensors"
        )  # the shortest entry: name, count, one dimension, type, offset
        self._room(n_values, 13, "metadata values")
        metadata: dict[str, Any] = {}
        for _ in range(n_values):
            key = self._string("a metadata key")
            if key in metadata:
                raise self._error(f"metadata: {key} is there twice")
            metadata[key] = self._value(self._number("<I"), key)
        entries = [self._entry() for _ in range(n_tensors)]
        alignment = metadata.get("general.alignment", 32)
        if (
            not isinstance(alignment, int)
            or alignment < 1
            or alignment & (alignment - 1)
            or alignment > 1 << 20
        ):
            raise self._error(f"general.alignment: expected a power of two, got {alignment!r}")
        begin = -(-self._offset // alignment) * alignment
        tensors: dict[str, GgufTensor] = {}
        for name, kind, shape, offset in entries:
            if name in tensors:
                raise self._error("tensor: the name is there twice", name)
            if offset % alignment:
                raise self._error(f"offset: expected a multiple of {alignment}, got {offset}", name)
            tensors[name] = self._place(name, kind, shape, begin + offset)
        self._check_overlap(tensors)
        return GgufHeader(self._path, metadata, tensors, self._hash.hexdigest())

    def _entry(self) -> tuple[str, int, tuple[int, ...], int]:
        name = self._string("a tensor name")
        n_dimensions = self._number("<I")
        if not 1 <= n_dimensions <= _MAX_DIMENSIONS:
            raise self._error(
                f"dimensions: expected 1 to {_MAX_DIMENSIONS}, got {n_dimensions}", name
            )
        shape = tuple(self._number("<Q") for _ in range(n_dimensions))[::-1]
        return name, self._number("<I"), shape, self._number("<Q")

    def _place(self, name: str, kind: int, shape: tuple[int, ...], offset: int) -> GgufTensor:
        try:
            tensor_type = gguf.GGMLQuantizationType(kind)
        except ValueError:
            raise self._error(f"tensor type: {kind} is not known", name) from None
        block, block_bytes = gguf.GGML_QUANT_SIZES[tensor_type]
        n_numbers = 1
        for length in shape:
            n_numbers *= length
        if n_numbers == 0:
            raise self._error(f"shape: expected no zero, got {list(shape)}", name)
        if shape[-1] % block:
            raise self._error(
                f"{tensor_type.name} rows: expected a multiple of {block} numbers, got {shape[-1]}",
                name,
            )
        n_bytes = n_numbers // block * block_bytes
        if offset + n_bytes > self._size:
            raise self._error(
                f"data: expected bytes up to {offset + n_bytes}, the file has {self._size}. "
                "Was the download cut short?",
                name,
            )
        return GgufTensor(name, self._path, tensor_type.name, shape, offset, n_bytes)

    def _check_overlap(self, tensors: Mapping[str, GgufTensor]) -> None:
        ordered = sorted(tensors.values(), key=lambda tensor: tensor.offset)
        for one, next_one in itertools.pairwise(ordered):
            if one.offset + one.n_bytes > next_one.offset:
                raise self._error(f"data: it overlaps {next_one.name}", one.name)

    def _value(self, kind: int, key: str, depth: int = 0) -> Any:
        if kind == _STRING:
            return self._string(key)
        if kind == _ARRAY:
            item, count = self._number("<I"), self._number("<Q")
            if item in _SCALARS:
                dtype = np.dtype(_SCALARS[item])
                self._room(count, dtype.itemsize, key)
                array = np.frombuffer(self._take(count * dtype.itemsize), dtype)
                return (array != 0).tolist() if item == _BOOL else array.tolist()
            if item not in (_STRING, _ARRAY) or depth == _MAX_DEPTH:
                raise self._error(f"metadata: {key} is an array of an unknown type {item}")
            self._room(count, 8 if item == _STRING else 12, key)
            if item == _STRING:
                return self._strings(count, key)
            return [self._value(item, key, depth + 1) for _ in range(count)]
        if kind not in _SCALARS:
            raise self._error(f"metadata: {key} has an unknown type {kind}")
        dtype = np.dtype(_SCALARS[kind])
        value = np.frombuffer(self._take(dtype.itemsize), dtype)[0]
        return bool(value) if kind == _BOOL else value.item()

    def _string(self, what: str) -> str:
        length = self._number("<Q")
        self._room(length, 1, what)
        data = self._take(length)
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self._error(f"metadata: {what} is not UTF-8: {data[:40]!r}") from None

    def _strings(self, count: int, what: str) -> list[str]:
        """Many strings, as a vocabulary has them.

        One by one they would take most of the time of a header.
        """
        read, parts = self._file.read, []
        for _ in range(count):
            prefix = read(8)
            length = int.from_bytes(prefix, "little")
            if length > self._size - self._offset:
                self._offset += len(prefix)
                self._room(length, 1, what)
            data = read(length)
            parts += [prefix, data]
            self._offset += len(prefix) + len(data)
            if len(prefix) + len(data) != 8 + length:
                raise self._error(
                    f"header: the file ends inside it, at {self._size} bytes. Was the download cut "
                    f"short?"
                )
        self._hash.update(b"".join(parts))
        try:
            return [data.decode() for data in parts[1::2]]
        except UnicodeDecodeError as error:
            raise self._error(f"metadata: {what} is not UTF-8: {error.object[:40]!r}") from None

    def _number(self, code: str) -> int:
        return int(struct.unpack(code, self._take(struct.calcsize(code)))[0])

    def _take(self, n_bytes: int) -> bytes:
        data = self._file.read(n_bytes)
        if len(data) != n_bytes:
            raise self._error(
                f"header: the file ends inside it, at {self._size} bytes. Was the download cut "
                f"short?"
            )
        self._offset += n_bytes
        self._hash.update(data)
        return data

    def _room(self, count: int, item_bytes: int, what: str) -> None:
        """`count` items cannot be longer than what is left of the file."""
        if count * item_bytes > self._size - self._offset:
            raise self._error(
                f"header: {count} items of {what} do not fit into a file of {self._size} bytes"
            )

    def _error(self, message: str, tensor: str | None = None) -> FormatError:
        return FormatError(f"[gguf] {message} ({self._path}{', ' + tensor if tensor else ''})")

# SPDX-License-Identifier: Apache-2.0
"""gguf_parts.py: the files of a GGUF that is split into parts.

Models larger than DRAM are published so.

llama.cpp's gguf-split writes NAME-00001-of-00003.gguf and so on. The first has all metadata; each
has some tensors, and says in split.no (from 0), split.count and split.tensors.count which part of
what it is.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flashlm._core import FormatError
from flashlm.packing.formats.gguf_header import GgufHeader, GgufTensor, read_header

_NAME = re.compile(r"(?P<stem>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf")
_JOIN = "Or join the parts: llama-gguf-split --merge FIRST-PART.gguf WHOLE.gguf"


def read_parts(path: Path) -> list[GgufHeader]:
    """The headers of a GGUF file and of its other parts, if it is split.

    The first has the tensors of all.

    Args:
        path: The file, or the first of its parts.

    Raises:
        FormatError: A part but the first was passed, one is missing or of another model, or a
            header is broken.
        IoError: A file cannot be read.
    """
    header = read_header(path)
    count = _number(header, "split.count", 1)
    number = _number(header, "split.no", 0)
    name = _NAME.fullmatch(path.name)
    if count <= 1 and (name is None or header.metadata.get("general.architecture") is not None):
        return [header]
    if (
        count <= 1 and name is not None
    ):  # no metadata of a model, and none of a part: its name tells
        count, number = int(name["count"]), int(name["number"]) - 1
    part = f"part {number + 1} of {count} of a split file"
    if number != 0:
        first = _sibling(name, 1, count) if name is not None else "...-00001-of-....gguf"
        raise _error(path, f"expected the first part, got {part}", f"Pass {first}. {_JOIN}")
    if name is None:
        raise _error(
            path,
            f"{part}: expected a name that ends in -00001-of-{count:05d}.gguf, got another",
            _JOIN,
        )
    headers = [header]
    for other in range(2, count + 1):
        place = path.with_name(_sibling(name, other, count))
        if not place.is_file():
            raise _error(
                path, f"{part}: {place.name} is missing", "All parts belong into one folder."
            )
        headers.append(read_header(place))
        if (_number(headers[-1], "split.no", -1), _number(headers[-1], "split.count", -1)) != (
            other - 1,
            count,
        ):
            raise _error(
                place, f"expected part {other} of {count} of a split file, got another", _JOIN
            )
    return [dataclasses.replace(header, tensors=_join(headers)), *headers[1:]]


def _join(headers: list[GgufHeader]) -> Mapping[str, GgufTensor]:
    tensors: dict[str, GgufTensor] = {}
    for header in headers:
        for name, tensor in header.tensors.items():
            if name in tensors:
                other = tensors[name].file.name
                raise _error(
                    header.path, f"tensor: {name} is in two parts, the other is {other}", _JOIN
                )
            tensors[name] = tensor
    first = headers[0]
    expected = _number(first, "split.tensors.count", len(tensors))
    if expected != len(tensors):
        raise _error(
            first.path, f"parts: expected {expected} tensors in all, got {len(tensors)}", _JOIN
        )
    return tensors


def _sibling(name: re.Match[str], number: int, count: int) -> str:
    return f"{name['stem']}-{number:05d}-of-{count:05d}.gguf"


def _number(header: GgufHeader, key: str, absent: int) -> int:
    value: Any = header.metadata.get(key, absent)
    if not isinstance(value, int) or isinstance(value, bool) or value > 99999:  # noqa: PLR2004 - five digits
        raise _error(
            header.path,
            f"metadata: expected {key} to be a number of five digits, got {value!r:.80}",
            _JOIN,
        )
    return value


def _error(path: Path, message: str, hint: str) -> FormatError:
    return FormatError(f"[gguf] {message} ({path}). {hint}")

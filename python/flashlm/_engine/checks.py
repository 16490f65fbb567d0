# SPDX-License-Identifier: Apache-2.0
"""checks.py: the one place where texts and numbers from outside are checked.

A text may hold lone surrogates: what ``os.fsdecode``, ``json.loads`` and
``errors="surrogateescape"`` leave of bytes that are no UTF-8. No tokenizer knows them; each becomes
U+FFFD. Anything that is no text, and any number outside its range, is an ArgumentError of one line.
Names of files are left as they are: they lead back to the same file.
"""

from __future__ import annotations

import json
import math
import operator
import os
import re
import reprlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from flashlm._core import ArgumentError

MOST_32_BITS = (1 << 31) - 1
MOST_64_BITS = (1 << 63) - 1
MOST_UNSIGNED = (1 << 64) - 1

_LONGEST = 100  # characters of a value in a message
_SURROGATE = re.compile("[\ud800-\udfff]")
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _LONGEST
_REPR.maxlong = 40


def shown(value: object) -> str:
    """The value as a message shows it: one line, cut where it is long.

    Example:
        >>> shown("a" * 1000) == "'" + "a" * 47 + "..." + "a" * 48 + "'"
        True
    """
    try:
        text = _REPR.repr(value)
    except Exception:  # noqa: BLE001 - a number of too many digits, or an object whose repr fails
        text = f"a value of type {type(value).__name__}"
    text = valid(" ".join(text.split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def refusal(where: str, name: str, expected: str, value: object, hint: str = "") -> ArgumentError:
    """The error of a value."""
    return ArgumentError(
        f"[{where}] {name}: expected {expected}, got {shown(value)}.{hint and ' '}{hint}"
    )


def refuse(where: str, name: str, expected: str, value: object, hint: str = "") -> NoReturn:
    """Raises the error of a value."""
    raise refusal(where, name, expected, value, hint)


def valid(text: str) -> str:
    r"""The text with U+FFFD for each lone surrogate.

    Example:
        >>> valid("caf\udce9") == "caf\ufffd"
        True
    """
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def text(value: object, name: str, *, where: str) -> str:
    """A text that has a UTF-8 form."""
    if isinstance(value, str):
        return valid(str(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        refuse(
            where,
            name,
            "a text",
            value,
            "Decode the bytes first: value.decode('utf-8', 'replace').",
        )
    refuse(where, name, "a text", value)


def texts(value: object, name: str, *, where: str) -> list[str]:
    """A list of texts; one text alone is a list of one."""
    if isinstance(value, str):
        return [valid(value)]
    if isinstance(value, (bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        refuse(where, name, "a text or a list of texts", value)
    return [text(item, f"{name}[{index}]", where=where) for index, item in enumerate(value)]


def whole(
    value: object, name: str, *, where: str, least: int | None = None, most: int | None = None
) -> int:
    """A whole number: an int, or what stands for one as numpy's do. True and 2.0 are none."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - whatever an object's __index__ raises
        number = None
    if number is None:
        refuse(where, name, "a whole number", value)
    if least is not None and number < least:
        refuse(where, name, f"{least} or more", number)
    if most is not None and number > most:
        refuse(where, name, f"at most {most}" if least is None else f"{least} to {most}", number)
    return number


def number(
    value: object, name: str, *, where: str, least: float | None = None, most: float | None = None
) -> float:
    """A finite number: a float or an int, or what stands for one as numpy's do."""
    converted = None
    if not isinstance(value, (bool, str, bytes, bytearray)):
        try:
            converted = float(value)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - not a number, or beyond all floats
            converted = None
    if converted is None or not math.isfinite(converted):
        refuse(where, name, "a finite number", value)
    if least is not None and converted < least:
        refuse(where, name, f"{least:g} or more", value)
    if most is not None and converted > most:
        refuse(
            where, name, f"at most {most:g}" if least is None else f"{least:g} to {most:g}", value
        )
    return converted


def flag(value: object, name: str, *, where: str) -> bool:
    """True or False, or what stands for one of them as numpy's do and None does."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    refuse(where, name, "True or False", value)


def choice(value: object, name: str, known: Collection[str], *, where: str) -> str:
    """One of some words."""
    if isinstance(value, str) and value in known:
        return value
    refuse(where, name, f"one of {', '.join(known)}", value)


def location(value: object, name: str, *, where: str) -> str | os.PathLike[str]:
    """A path, as it is given; it may name a file whose name is no UTF-8."""
    try:
        path = os.fspath(value)  # type: ignore[call-overload]
    except Exception:  # noqa: BLE001 - whatever an object's __fspath__ raises
        path = None
    if not isinstance(path, str):
        refuse(
            where,
            name,
            "a path",
            value,
            "os.fsdecode makes one of bytes." if isinstance(path, bytes) else "",
        )
    try:
        whole_name = os.fsencode(path)
    except UnicodeEncodeError:
        refuse(where, name, "a path that this system can have", value)
    if b"\0" in whole_name:
        refuse(where, name, "a path without a zero byte", value)
    try:
        Path(path).expanduser()
    except RuntimeError:
        refuse(where, name, "a path in the home of a user that there is", value)
    return value  # type: ignore[return-value]


def file_path(value: object, name: str, *, where: str) -> Path:
    """A path as a Path, with the user's home in place of ~."""
    return Path(location(value, name, where=where)).expanduser()


def new_path(value: object, name: str, *, where: str) -> Path:
    """The path of a file or folder that is to be made: one with a name."""
    path = file_path(value, name, where=where)
    if not path.name:
        refuse(where, name, "a path that ends in a name", value)
    return path


def callback(value: object, name: str, *, where: str, optional: bool = True) -> Any:
    """Something that can be called; or None, unless it is needed."""
    if callable(value) or (optional and value is None):
        return value
    refuse(where, name, "a function or None" if optional else "a function", value)


def mapping(
    value: object, name: str, *, where: str, of: str = "names and values"
) -> dict[str, Any]:
    """A mapping whose keys are texts, as a dict of its own; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        refuse(where, name, f"a mapping of {of}", value)
    return {text(key, f"{name}'s key", where=where): item for key, item in value.items()}


def items(value: object, name: str, *, where: str, of: str) -> list[Any]:
    """What a list or another iterable holds; a text is none."""
    if isinstance(value, (str, bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        refuse(where, name, f"a list of {of}", value)
    return list(value)


def ids(value: object, name: str, *, where: str) -> list[int]:
    """Token ids."""
    if isinstance(value, (str, bytes, bytearray, Mapping)) or not hasattr(value, "__iter__"):
        refuse(where, name, "a list of token ids", value)
    try:
        found = list(value)
    except TypeError:  # an array without dimensions
        refuse(where, name, "a list of token ids", value)
    return [
        whole(item, f"{name}[{index}]", where=where, most=MOST_32_BITS)
        for index, item in enumerate(found)
    ]


def json_text(value: object, name: str, *, where: str) -> str:
    """The value as JSON, each text in it with U+FFFD for lone surrogates."""
    try:
        return valid(json.dumps(value, ensure_ascii=False, allow_nan=False, default=_as_dict))
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ArgumentError(
            f"[{where}] {name}: expected a JSON value: {shown_error(error)}"
        ) from None


def shown_error(error: BaseException) -> str:
    """What an exception says, in one line, cut where it is long."""
    said = valid(" ".join(str(error).split()))
    return said if len(said) <= _LONGEST else said[: _LONGEST - 3] + "..."


def _as_dict(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")

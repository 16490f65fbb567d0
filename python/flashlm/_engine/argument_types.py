# SPDX-License-Identifier: Apache-2.0
"""argument_types.py: what checks a value of a type that a signature names, Python's or pybind11's."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flashlm._core import ArgumentError
from flashlm._engine import checks

Check = Callable[[Any, str, str], Any]
"""Takes a value, the name of the argument and the place.

Returns the value to use, or raises ArgumentError.
"""

# Names of types for which the function itself knows better.
_OPEN = {"", "Any", "object", "NDArray", "ndarray", "Message", "Speaker", "ChatFunction", "Writer"}
_MOST_BITS = 128
_GROUPS = ("Sequence", "Collection", "Iterable", "list", "tuple")


def check_of(kind: ast.expr | None, *, optional: bool = False) -> Check:
    """What checks a value of a type; `optional` takes None too, whatever the type says."""
    options = {_base(option): option for option in _options(kind)}
    check = _check_of_options({base: option for base, option in options.items() if base != "None"})
    if optional or "None" in options:
        return lambda value, name, where: None if value is None else check(value, name, where)
    return check


def _options(kind: ast.expr | None) -> list[ast.expr]:
    """Each of the types in "A | B"."""
    if isinstance(kind, ast.BinOp):
        return _options(kind.left) + _options(kind.right)
    return [] if kind is None else [kind]


def _base(kind: ast.expr) -> str:
    """A type's own name: "Sequence" of "collections.abc.Sequence[str]"."""
    return ast.unparse(kind).split("[", 1)[0].rsplit(".", 1)[-1]


def _check_of_options(options: Mapping[str, ast.expr]) -> Check:
    """The check of one type, or of several that belong together.

    Others are left to the function.
    """
    names = set(options)
    groups = names & set(_GROUPS)
    scalars = names - groups
    if scalars <= {"str", "PathLike", "bytes"} and len(names) > 1:
        of_scalar = _CHECKS["PathLike" if "PathLike" in scalars else "str"]
        return of_scalar if not groups else _either(_group_check(options[groups.pop()]), of_scalar)
    if "bool" in names and len(names) > 1 and scalars <= _CHECKS.keys():
        return _any_of({base: _CHECKS[base] for base in scalars})
    if "SupportsIndex" in names:  # as pybind11 writes it, beside SupportsInt or SupportsFloat
        return _CHECKS["SupportsInt" if "SupportsInt" in names else "SupportsFloat"]
    return _check_of_one(next(iter(options.items()))) if len(options) == 1 else _anything


def _either(of_group: Check, of_scalar: Check) -> Check:
    def check(value: Any, name: str, where: str) -> Any:
        is_group = hasattr(value, "__iter__") and not isinstance(value, (str, bytes, bytearray))
        return (of_group if is_group else of_scalar)(value, name, where)

    return check


def _any_of(known: Mapping[str, Check]) -> Check:
    """One of several kinds, among them True and False.

    A text is a path where that is one of them.
    """
    of_text = known.get("PathLike", known.get("str", known["bool"]))
    expected = " or ".join(word for base, word in _WORDS.items() if base in known)

    def check(value: Any, name: str, where: str) -> Any:
        if isinstance(value, str):
            return of_text(value, name, where)
        for one in known.values():
            with contextlib.suppress(ArgumentError):
                return one(value, name, where)
        raise checks.refusal(where, name, expected, value)

    return check


_WORDS = {"PathLike": "a path", "str": "a text", "int": "a whole number", "bool": "True or False"}


def _check_of_one(option: tuple[str, ast.expr]) -> Check:
    base, kind = option
    if base in _CHECKS:
        return _CHECKS[base]
    if base in _GROUPS:
        return _group_check(kind)
    if base in ("Mapping", "dict"):
        return _mapping_check(kind)
    return _anything if base in _OPEN else _class_check(base)


def _anything(value: Any, name: str, where: str) -> Any:
    del name, where
    return value


def _function(value: Any, name: str, where: str) -> Any:
    return checks.callback(value, name, where=where, optional=False)


def _whole(value: Any, name: str, where: str) -> Any:
    number = checks.whole(value, name, where=where)
    if number.bit_length() > _MOST_BITS:  # what the function says of it would take as many digits
        raise checks.refusal(
            where, name, "a smaller number" if number > 0 else "a larger number", number
        )
    return number


_CHECKS: dict[str, Check] = {
    "PathLike": lambda value, name, where: checks.location(value, name, where=where),
    "Path": lambda value, name, where: checks.file_path(value, name, where=where),
    "SupportsInt": _whole,
    "int": _whole,
    "SupportsFloat": lambda value, name, where: checks.number(value, name, where=where),
    "float": lambda value, name, where: checks.number(value, name, where=where),
    "str": lambda value, name, where: checks.text(value, name, where=where),
    "bool": lambda value, name, where: checks.flag(value, name, where=where),
    "Callable": _function,
    "Progress": _function,
}


def _group_check(kind: ast.expr) -> Check:
    if not isinstance(kind, ast.Subscript):
        return _anything
    parts = kind.slice.elts if isinstance(kind.slice, ast.Tuple) else [kind.slice]
    if _base(kind) == "tuple" and ast.unparse(parts[-1]) != "...":
        return _tuple_check(parts)
    if _base(parts[0]) == "Message":
        return _anything
    of_item = check_of(parts[0])
    are_whole = _base(parts[0]) in ("int", "SupportsInt")

    def check(value: Any, name: str, where: str) -> Any:
        found = checks.items(value, name, where=where, of="values")
        if are_whole and set(map(type, found)) <= {int}:  # a long list of ids, looked at in no time
            return found
        return [of_item(item, f"{name}[{index}]", where) for index, item in enumerate(found)]

    return check


def _tuple_check(parts: Sequence[ast.expr]) -> Check:
    of_parts = [check_of(part) for part in parts]

    def check_tuple(value: Any, name: str, where: str) -> Any:
        if not isinstance(value, (tuple, list)) or len(value) != len(of_parts):
            checks.refuse(where, name, f"a tuple of {len(of_parts)}", value)
        pairs = enumerate(zip(of_parts, value, strict=True))
        return tuple(check(item, f"{name}[{index}]", where) for index, (check, item) in pairs)

    return check_tuple


def _mapping_check(kind: ast.expr) -> Check:
    parts = (
        kind.slice.elts
        if isinstance(kind, ast.Subscript) and isinstance(kind.slice, ast.Tuple)
        else [None, None]
    )
    of_key, of_item = (check_of(part) for part in parts)

    def check_mapping(value: Any, name: str, where: str) -> Any:
        if not isinstance(value, Mapping):
            checks.refuse(where, name, "a mapping", value)
        return {
            of_key(key, f"a key of {name}", where): of_item(
                item, f"{name}[{checks.shown(key)}]", where
            )
            for key, item in value.items()
        }

    return check_mapping


def _class_check(kind: str) -> Check:
    def check_class(value: Any, name: str, where: str) -> Any:
        if kind not in {parent.__name__ for parent in type(value).__mro__}:
            checks.refuse(where, name, f"a value of type {kind}", value)
        return value

    return check_class

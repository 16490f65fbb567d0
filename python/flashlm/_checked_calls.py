# SPDX-License-Identifier: Apache-2.0
"""_checked_calls.py: what the functions of the extension modules do with values that they do not take as they are.

python/src/checked_calls.hpp passes on what is surely right, and asks here about everything else.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from flashlm import _values
from flashlm._core import ArgumentError


def call(function: Callable[..., Any], where: str, positional: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """What a function of an extension module returns; it asks with arguments that it does not take as they are.

    Args:
        function: As pybind11 made it; the first line of its docstring has its parameters with their types.
        where: What errors call it.
        positional: The arguments without names; the first of a method is its object.
        named: The others.

    Raises:
        ArgumentError: A value of another kind, or a number out of range.
        TypeError: An argument is missing, or there are too many, as from a function of Python's.
    """
    signature, checks = _signature((function.__doc__ or "").split("\n", 1)[0])
    try:
        bound = signature.bind(*positional, **named)
    except TypeError as error:
        raise TypeError(f"{where}() {error}") from None
    given = {name: checks[name](value, name, where) for name, value in bound.arguments.items()}
    bound.arguments.update(given)
    try:
        return function(*bound.args, **bound.kwargs)
    except TypeError as error:
        if not str(error).startswith(f"{function.__name__}(): incompatible "):
            raise
    raise _range_error(where, given)


_Check = Callable[[Any, str, str], Any]


@cache
def _signature(line: str) -> tuple[inspect.Signature, dict[str, _Check]]:
    """The parameters in a line such as ``f(text: str, *, n: int = 1) -> str``, and what checks each of them."""
    (node,) = ast.parse(f"def {line}: ...").body
    assert isinstance(node, ast.FunctionDef)  # noqa: S101 - pybind11 wrote it
    plain = [*node.args.posonlyargs, *node.args.args]
    first_default = len(plain) - len(node.args.defaults)
    defaults: list[ast.expr | None] = [None] * first_default + list(node.args.defaults)
    given = [*plain, *node.args.kwonlyargs]
    parameters, checks = [], {}
    for argument, default in zip(given, [*defaults, *node.args.kw_defaults], strict=True):
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if argument in plain else inspect.Parameter.KEYWORD_ONLY
        empty = inspect.Parameter.empty if default is None else None
        parameters.append(inspect.Parameter(argument.arg, kind, default=empty))
        optional = isinstance(default, ast.Constant) and default.value is None
        checks[argument.arg] = _check_of(argument.annotation, optional=optional)
    return inspect.Signature(parameters), checks


def _check_of(kind: ast.expr | None, *, optional: bool = False) -> _Check:
    """What checks a value of a type that pybind11 wrote into a signature."""
    options = {_base(option): option for option in _options(kind)}
    check = _plain_check(options)
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


def _plain_check(options: Mapping[str, ast.expr]) -> _Check:
    group = next((kind for base, kind in options.items() if base in ("Sequence", "list", "tuple")), None)
    if "str" in options and group is not None:
        of_group = _group_check(group)
        return lambda value, name, where: (
            of_group(value, name, where)
            if hasattr(value, "__iter__") and not isinstance(value, (str, bytes, bytearray))
            else _values.text(value, name, where=where)
        )
    if group is not None:
        return _group_check(group)
    for base, check in _CHECKS.items():
        if base in options:
            return check
    mapping = options.get("Mapping", options.get("dict"))
    if mapping is not None:
        return _mapping_check(mapping)
    if not options or {"NDArray", "object"} & options.keys():
        return lambda value, _name, _where: value
    return _class_check(next(iter(options)))


_CHECKS: dict[str, _Check] = {
    "PathLike": lambda value, name, where: _values.location(value, name, where=where),
    "SupportsInt": lambda value, name, where: _values.whole(value, name, where=where),
    "int": lambda value, name, where: _values.whole(value, name, where=where),
    "SupportsFloat": lambda value, name, where: _values.number(value, name, where=where),
    "float": lambda value, name, where: _values.number(value, name, where=where),
    "str": lambda value, name, where: _values.text(value, name, where=where),
    "bool": lambda value, name, where: _values.flag(value, name, where=where),
    "Callable": lambda value, name, where: _values.callback(value, name, where=where, optional=False),
}


def _group_check(kind: ast.expr) -> _Check:
    assert isinstance(kind, ast.Subscript)  # noqa: S101 - pybind11 wrote it
    if ast.unparse(kind.value) == "tuple":
        parts = kind.slice.elts if isinstance(kind.slice, ast.Tuple) else [kind.slice]
        checks = [_check_of(part) for part in parts]

        def check_tuple(value: Any, name: str, where: str) -> Any:
            if not isinstance(value, (tuple, list)) or len(value) != len(checks):
                _values.refuse(where, name, f"a tuple of {len(checks)}", value)
            pairs = enumerate(zip(checks, value, strict=True))
            return tuple(check(item, f"{name}[{index}]", where) for index, (check, item) in pairs)

        return check_tuple
    of_item = _check_of(kind.slice)

    def check_group(value: Any, name: str, where: str) -> Any:
        found = _values.items(value, name, where=where, of="values")
        return [of_item(item, f"{name}[{index}]", where) for index, item in enumerate(found)]

    return check_group


def _mapping_check(kind: ast.expr) -> _Check:
    assert isinstance(kind, ast.Subscript)  # noqa: S101 - pybind11 wrote it
    assert isinstance(kind.slice, ast.Tuple)  # noqa: S101 - pybind11 wrote it
    of_key, of_item = (_check_of(part) for part in kind.slice.elts)

    def check_mapping(value: Any, name: str, where: str) -> Any:
        if not isinstance(value, Mapping):
            _values.refuse(where, name, "a mapping", value)
        return {
            of_key(key, f"{name}'s key", where): of_item(item, f"{name}[{_values.shown(key)}]", where)
            for key, item in value.items()
        }

    return check_mapping


def _class_check(kind: str) -> _Check:
    def check_class(value: Any, name: str, where: str) -> Any:
        if kind not in {parent.__name__ for parent in type(value).__mro__}:
            _values.refuse(where, name, f"a value of type {kind}", value)
        return value

    return check_class


def _range_error(where: str, given: Mapping[str, Any]) -> ArgumentError:
    """Names the number that C++ has no room for, where all values are of the right kind: the farthest from zero."""
    found: list[tuple[str, int]] = []

    def look(value: Any, name: str) -> None:
        if isinstance(value, int) and not isinstance(value, bool):
            found.append((name, value))
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                look(item, f"{name}[{index}]")

    for name, value in given.items():
        look(value, name)
    beyond = [one for one in found if one[1] > _values.MOST_UNSIGNED or one[1] < 0]
    if not found:
        return ArgumentError(f"[{where}] arguments: expected others, got {_values.shown(given)}.")
    name, value = max(beyond or found, key=lambda one: abs(one[1]))
    return _values.refusal(where, name, "0 or more" if value < 0 else "a smaller number", value)

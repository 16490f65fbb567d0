# SPDX-License-Identifier: Apache-2.0
"""checked_calls.py: functions that check every value they are given by their signatures.

Python's own by `checked`. Those of the extension modules by `call`: python/src/checked_calls.hpp
passes on what is surely right, and asks here about everything else.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

from flashlm._core import ArgumentError
from flashlm._engine import checks
from flashlm._engine.argument_types import Check, check_of

_P = ParamSpec("_P")
_T = TypeVar("_T")


def checked(where: str) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Makes a function check its arguments by their annotations before it runs.

    Ranges are its own to check.

    Texts get U+FFFD for lone surrogates, numbers may be numpy's, and anything of another kind is an
    ArgumentError.

    Args:
        where: What errors call the place.

    Returns:
        A decorator.

    Example:
        >>> @checked("sums")
        ... def double(number: int) -> int:
        ...     return 2 * number
        >>> double(2.5)
        Traceback (most recent call last):
        flashlm.ArgumentError: [sums] number: expected a whole number, got 2.5.
    """

    def decorate(function: Callable[_P, _T]) -> Callable[_P, _T]:
        signature = inspect.signature(function)
        checks = {
            name: check_of(
                ast.parse(str(parameter.annotation), mode="eval").body,
                optional=parameter.default is None,
            )
            for name, parameter in signature.parameters.items()
            if isinstance(parameter.annotation, str)
            and parameter.kind
            not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        }

        @wraps(function)
        def checking(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError:
                return function(*args, **kwargs)  # says itself what is missing or too much
            for name, value in bound.arguments.items():
                if name in checks:
                    bound.arguments[name] = checks[name](value, name, where)
            return function(*bound.args, **bound.kwargs)

        return checking

    return decorate


def call(
    function: Callable[..., Any], where: str, positional: tuple[Any, ...], named: Mapping[str, Any]
) -> Any:
    """What a function of an extension module returns.

    It asks with arguments that it does not take as they are.

    Args:
        function: As pybind11 made it; the first line of its docstring has its parameters with their
            types.
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
        inner = (
            error.__traceback__ is not None and error.__traceback__.tb_next is not None
        )  # raised by a callback
        if inner or not str(error).startswith(f"{function.__name__}(): incompatible "):
            raise
    raise _range_error(where, given)


@cache
def _signature(line: str) -> tuple[inspect.Signature, dict[str, Check]]:
    """The parameters in a line such as ``f(text: str, *, n: int = 1) -> str``.

    Each comes with what checks it.
    """
    (node,) = ast.parse(f"def {line}: ...").body
    assert isinstance(node, ast.FunctionDef)  # noqa: S101 - pybind11 wrote it
    plain = [*node.args.posonlyargs, *node.args.args]
    first_default = len(plain) - len(node.args.defaults)
    defaults: list[ast.expr | None] = [None] * first_default + list(node.args.defaults)
    given = [*plain, *node.args.kwonlyargs]
    parameters, checks = [], {}
    for argument, default in zip(given, [*defaults, *node.args.kw_defaults], strict=True):
        kind = (
            inspect.Parameter.POSITIONAL_OR_KEYWORD
            if argument in plain
            else inspect.Parameter.KEYWORD_ONLY
        )
        empty = inspect.Parameter.empty if default is None else None
        parameters.append(inspect.Parameter(argument.arg, kind, default=empty))
        optional = isinstance(default, ast.Constant) and default.value is None
        checks[argument.arg] = check_of(argument.annotation, optional=optional)
    return inspect.Signature(parameters), checks


def _range_error(where: str, given: Mapping[str, Any]) -> ArgumentError:
    """Names the number that C++ has no room for: the farthest from zero.

    All values are of the right kind.
    """
    found: list[tuple[str, int]] = []

    def look(value: Any, name: str) -> None:
        if isinstance(value, int) and not isinstance(value, bool):
            found.append((name, value))
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                look(item, f"{name}[{index}]")

    for name, value in given.items():
        look(value, name)
    beyond = [one for one in found if one[1] > checks.MOST_UNSIGNED or one[1] < 0]
    if not found:
        return ArgumentError(f"[{where}] arguments: expected others, got {checks.shown(given)}.")
    name, value = max(beyond or found, key=lambda one: abs(one[1]))
    return checks.refusal(where, name, "0 or more" if value < 0 else "a smaller number", value)

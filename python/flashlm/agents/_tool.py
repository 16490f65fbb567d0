# SPDX-License-Identifier: Apache-2.0
"""_tool.py: a Python function that a model may call, and the JSON schema of its arguments."""

from __future__ import annotations

import inspect
import json
import re
import threading
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Union

from flashlm._core import ArgumentError
from flashlm._engine import checks
from flashlm._engine.checked_calls import checked

_TYPES: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
    type(None): "null",
}


@dataclass(frozen=True)
class Tool:
    """A function that a model may call.

    Args:
        name: Letters, digits and ``_``.
        description: What it is for; the model reads it.
        parameters: The JSON schema of an object: its arguments.
        function: Called with these by keyword. What it returns is shown to the model: a text as it
            is, other values as JSON where they can be. What it raises is shown too.
        max_seconds: After so long the model is told that there was no result, and the call is left
            alone; 0 for no limit.

    Example:
        >>> def add(a: int, b: int = 1) -> int:
        ...     '''Adds two numbers.
        ...
        ...     Args:
        ...         a: The first.
        ...         b: The second.
        ...     '''
        ...     return a + b
        >>> tool = flashlm.Tool.of(add)
        >>> tool.description
        'Adds two numbers.'
        >>> tool.parameters["properties"]["a"]
        {'type': 'integer', 'description': 'The first.'}
        >>> tool.parameters["required"]
        ['a']
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    function: Callable[..., Any] = field(repr=False)
    max_seconds: float = 0

    def __post_init__(self) -> None:
        for name in ("name", "description"):
            checks.text(getattr(self, name), name, where="tool")
        if not isinstance(self.parameters, Mapping):
            checks.refuse("tool", "parameters", "the JSON schema of an object", self.parameters)
        checks.callback(self.function, "function", where="tool", optional=False)
        checks.number(self.max_seconds, "max_seconds", where="tool", least=0)

    @classmethod
    @checked("tool")
    def of(cls, function: Callable[..., Any], *, max_seconds: float = 0) -> Tool:
        """Makes a tool of a typed function with a docstring.

        Args:
            function: Its name, the first part of its docstring, the types of its parameters and
                what the docstring says of them under ``Args:`` are what the model reads.
            max_seconds: As above.

        Returns:
            The tool.

        Raises:
            ArgumentError: The function has no docstring, a parameter without a type or of a type
                that JSON lacks, or parameters that cannot be passed by keyword.

        Example:
            >>> def now() -> str:
            ...     '''Tells the time.'''
            ...     return "noon"
            >>> flashlm.Tool.of(now).name
            'now'
        """
        name = getattr(function, "__name__", type(function).__name__)
        text = inspect.getdoc(function) or ""
        described = re.split(
            r"^(?:Args|Returns|Raises|Example)s?:\s*$", text, maxsplit=1, flags=re.MULTILINE
        )[0].strip()
        if not described:
            raise ArgumentError(
                f"[tool] {name}: expected a docstring, which tells the model what it is for, got "
                f"none."
            )
        return cls(
            name,
            described,
            _parameters(function, name, _argument_texts(text)),
            function,
            max_seconds,
        )


def runner(tool: Tool) -> Callable[[str], str]:
    """The tool as the engine calls it: JSON in, text out."""

    def run(arguments: str) -> str:
        values = json.loads(arguments)
        result = _within(tool, values) if tool.max_seconds > 0 else tool.function(**values)
        if isinstance(result, str):
            return checks.valid(result)
        try:
            return json.dumps(result, ensure_ascii=False)
        except (TypeError, ValueError):
            return str(result)

    return run


def _within(tool: Tool, arguments: Mapping[str, Any]) -> Any:
    """Calls the tool in a thread that is left alone when its time is over."""
    outcome: list[tuple[bool, Any]] = []

    def call() -> None:
        try:
            outcome.append((True, tool.function(**arguments)))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            outcome.append((False, error))

    thread = threading.Thread(target=call, name=f"flashlm tool {tool.name}", daemon=True)
    thread.start()
    thread.join(tool.max_seconds)
    if not outcome:
        raise TimeoutError(f"no result after {tool.max_seconds:g} s")
    done, value = outcome[0]
    if not done:
        raise value
    return value


def _parameters(
    function: Callable[..., Any], name: str, texts: Mapping[str, str]
) -> dict[str, Any]:
    """The JSON schema of a function's arguments."""
    hints = typing.get_type_hints(function)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        where = f"{name}({parameter.name})"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ArgumentError(
                f"[tool] {where}: expected a parameter that has a name, got "
                f"{parameter.kind.description}."
            )
        if parameter.name not in hints:
            raise ArgumentError(f"[tool] {where}: expected a type, got none.")
        schema = _type_schema(hints[parameter.name], where)
        if parameter.name in texts:
            schema["description"] = texts[parameter.name]
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        properties[parameter.name] = schema
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _type_schema(hint: Any, where: str) -> dict[str, Any]:
    if hint in _TYPES:
        return {"type": _TYPES[hint]}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is list:
        return {"type": "array", "items": _type_schema(inner[0], where)}
    if origin is dict and inner[0] is str:
        return {"type": "object", "additionalProperties": _type_schema(inner[1], where)}
    if origin in (Union, types.UnionType):
        choices = [_type_schema(one, where) for one in inner]
        if all(choice.keys() == {"type"} for choice in choices):
            return {"type": [choice["type"] for choice in choices]}
        return {"anyOf": choices}
    raise ArgumentError(
        f"[tool] {where}: expected str, int, float, bool, list, dict, Literal or a union of them, "
        f"got {hint}."
    )


def _argument_texts(docstring: str) -> dict[str, str]:
    """What a Google style docstring says of each argument."""
    section = re.search(r"^Args:\s*\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    if section is None:
        return {}
    lines = inspect.cleandoc("\n" + section.group(1)).splitlines()
    texts: dict[str, str] = {}
    current = ""
    for line in lines:
        begun = re.match(r"(\w+)(?: \([^)]*\))?:\s*(.*)", line)
        if begun:
            current = begun.group(1)
            texts[current] = begun.group(2)
        elif current and line.strip():
            texts[current] = f"{texts[current]} {line.strip()}".strip()
    return texts

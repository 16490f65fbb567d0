# SPDX-License-Identifier: Apache-2.0
"""tool_calls.py: finds the calls in what a model wrote, whatever family it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flashlm._core import known_schema
from flashlm._engine import checks
from flashlm._engine.checked_calls import checked
from flashlm._engine.warnings import warn

_MOST_TRIES = 1000  # beginnings of JSON that are looked at
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_FUNCTION = re.compile(
    r"<function=([\w.-]+)>(.*?)(?:</function>|\Z)", re.DOTALL
)  # Llama 3.1, Qwen3-Coder
_PARAMETER = re.compile(r"<parameter=([\w.-]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_NAMED = re.compile(r"([\w.-]+)\s*\[ARGS\]\s*(?=\{)")  # Mistral


_BEFORE = re.compile(r"(?:<[^<>\s/]*tool[^<>]*>|<\|python_tag\|>|\[TOOL_CALLS\]|```\w*)\s*\Z")
_BEHIND = re.compile(r"\s*(?:</[^<>\s]*tool[^<>]*>|<\|[^<>]*tool[^<>]*\|>|\[/TOOL_CALLS\]|```)")
_MAY_BEGIN = re.compile(r"[{\[`]|<(?!/?think>)")


@dataclass(frozen=True)
class ToolCall:
    """A call that a model asks for."""

    name: str
    arguments: Any


@checked("tool_calls")
def find_tool_calls(
    text: str,
    tools: Collection[str] = (),
    *,
    name_key: str = "name",
    arguments_key: str = "arguments",
) -> list[ToolCall]:
    """The calls in a text, in their order; none if there are none.

    Knows JSON objects with a name and arguments, alone or in lists, between whatever marks (Hermes,
    Qwen, SmolLM, Llama, Mistral), and tags such as ``<function=name>``. What stands in ``<think>``
    is no call.

    Args:
        text: What the model wrote.
        tools: Names that are tools; such a call may lack its arguments.
        name_key: How the model calls the name.
        arguments_key: How the model calls the arguments; ``parameters`` is known too.

    Returns:
        The calls.

    Example:
        >>> from flashlm.chat.tool_calls import find_tool_calls
        >>> text = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
        >>> text += ' {"name": "g", "arguments": {"x": 1}}'
        >>> [call.name for call in find_tool_calls(text)]
        ['f', 'g']
    """
    found = _found(text, tools, name_key, arguments_key)
    return [call for calls, _, _ in found for call in calls]


@checked("tool_calls")
def cut_tool_calls(
    text: str,
    tools: Collection[str] = (),
    *,
    name_key: str = "name",
    arguments_key: str = "arguments",
) -> tuple[list[ToolCall], str]:
    r"""The calls in a text, and the text without them and the marks around them.

    Args:
        text: As in ``find_tool_calls``.
        tools: As in ``find_tool_calls``.
        name_key: As in ``find_tool_calls``.
        arguments_key: As in ``find_tool_calls``.

    Returns:
        The calls, and the rest of the text without blanks at its ends; the text as it is where
        there is no call.

    Example:
        >>> from flashlm.chat.tool_calls import cut_tool_calls
        >>> text = 'I ask.\n<tool_call>{"name": "f", "arguments": {}}</tool_call>'
        >>> cut_tool_calls(text)
        ([ToolCall(name='f', arguments={})], 'I ask.')
    """
    found = _found(text, tools, name_key, arguments_key)
    if not found:
        return [], text
    rest: list[str] = []
    at = 0
    for _, begin, end in found:
        before = text[at:begin]
        mark = _BEFORE.search(before)
        rest.append(before[: mark.start()] if mark else before)
        behind = _BEHIND.match(text, end)
        at = behind.end() if behind else end
    rest.append(text[at:])
    pieces = [piece.strip() for piece in rest]
    return [call for calls, _, _ in found for call in calls], "\n".join(
        piece for piece in pieces if piece
    )


@checked("tool_calls")
def may_begin_call(text: str) -> int:
    """Where a call may begin in a text that is still being written; its length if nowhere."""
    plain = _THOUGHTS.sub(lambda thought: " " * len(thought[0]), text)
    begin = _MAY_BEGIN.search(plain)
    return begin.start() if begin else len(text)


@checked("tool_calls")
def call_schema(
    tools: Sequence[Mapping[str, Any]],
    *,
    name_key: str = "name",
    arguments_key: str = "arguments",
    several: bool = False,
) -> dict[str, Any]:
    """The JSON schema of a call to one of the tools, or of a list of calls.

    Calls are held to what grammars know of the tools' schemas. The rest is left to the tools, with
    one warning that names it.

    Args:
        tools: ``{"type": "function", "function": {"name": ..., "parameters": ...}}`` each.
        name_key: How the model calls the name.
        arguments_key: How the model calls the arguments.
        several: A list of one call or more.

    Returns:
        A schema for ``response_format``.

    Example:
        >>> from flashlm.chat.tool_calls import call_schema
        >>> call_schema([{"function": {"name": "f", "parameters": {"type": "object"}}}])["required"]
        ['name', 'arguments']
    """
    calls = []
    left: list[str] = []
    for tool in tools:
        function = tool.get("function", tool)
        text, unknown = _known(
            checks.json_text(_plain(function["parameters"]), function["name"], where="tools")
        )
        left.extend(f"{function['name']}: {word}" for word in unknown)
        # References in it count from its own beginning.
        own = {"$id": f"flashlm:{function['name']}"} if '"$ref"' in text else {}
        arguments = {**own, **json.loads(text)}
        properties = {name_key: {"const": function["name"]}, arguments_key: arguments}
        calls.append(
            {
                "type": "object",
                "properties": properties,
                "required": [name_key, arguments_key],
                "additionalProperties": False,
            }
        )
    warn_of_left(tuple(left))
    call = calls[0] if len(calls) == 1 else {"anyOf": calls}
    return {"type": "array", "items": call, "minItems": 1} if several else call


@lru_cache(maxsize=256)
def warn_of_left(left: tuple[str, ...]) -> None:
    """Warns once of what calls are not held to: keywords of tools' schemas and their places."""
    if left:
        warn(
            "[tools] schemas: no grammar knows these keywords, so calls are not held to them and "
            "the tool has to check "
            f"them itself: {'; '.join(left)}."
        )


@lru_cache(maxsize=256)
def _known(schema: str) -> tuple[str, tuple[str, ...]]:
    text, left = known_schema(schema)
    return text, tuple(left)


def _found(
    text: str, tools: Collection[str], name_key: str, arguments_key: str
) -> list[tuple[list[ToolCall], int, int]]:
    """The calls, and where each of them, or a list of them, begins and ends."""
    text = _THOUGHTS.sub(lambda thought: " " * len(thought[0]), text)
    tagged = [([_tagged(match)], *match.span()) for match in _FUNCTION.finditer(text)]
    if tagged:
        return tagged
    found: list[tuple[list[ToolCall], int, int]] = []
    named = {match.end(): match for match in _NAMED.finditer(text)}
    for begin, end, value in _json_values(text):
        if begin in named:
            found.append(([ToolCall(named[begin].group(1), value)], named[begin].start(), end))
            continue
        items = value if isinstance(value, list) else [value]
        calls = [_call_of(item, tools, name_key, arguments_key) for item in items]
        if any(calls):
            found.append(([call for call in calls if call is not None], begin, end))
    return found


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of smolagents as JSON schema: an image or a sound is named by a text."""
    properties = {
        name: _plain_property(value) for name, value in parameters.get("properties", {}).items()
    }
    plain = {**parameters, "properties": properties}
    # Others may be named where schemas are joined.
    joins = {"$ref", "allOf", "anyOf", "oneOf", "if", "patternProperties", "additionalProperties"}
    return plain if joins & parameters.keys() else {**plain, "additionalProperties": False}


def _plain_property(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    names = {"image": "string", "audio": "string"}
    kind = value.get("type")
    if isinstance(kind, str):
        return {**value, "type": names.get(kind, kind)}
    return (
        {**value, "type": [names.get(each, each) for each in kind]}
        if isinstance(kind, list)
        else dict(value)
    )


def _json_values(text: str) -> Iterator[tuple[int, int, Any]]:
    """The objects and lists in a text, where they begin, and where they end.

    What stands inside one is not another.
    """
    decoder = json.JSONDecoder()
    at = 0
    for _ in range(_MOST_TRIES):
        match = re.compile(r"[{\[]").search(text, at)
        if match is None:
            return
        at = match.start() + 1
        try:
            value, at = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        yield match.start(), at, value


def _call_of(
    value: Any, tools: Collection[str], name_key: str, arguments_key: str
) -> ToolCall | None:
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = value.get(name_key, value.get("name"))
    if not isinstance(name, str):
        return None
    for key in (arguments_key, "arguments", "parameters"):
        if key in value:
            return ToolCall(name, _object_of(value[key]))
    return ToolCall(name, {}) if name in tools else None


def _object_of(arguments: Any) -> Any:
    if isinstance(arguments, str):
        try:
            return json.loads(arguments)
        except (ValueError, RecursionError):
            return arguments
    return arguments


def _tagged(match: re.Match[str]) -> ToolCall:
    name, body = match.groups()
    parameters = {key: _object_of(value) for key, value in _PARAMETER.findall(body)}
    return ToolCall(name, parameters or _object_of(body.strip() or "{}"))

# SPDX-License-Identifier: Apache-2.0
"""tool_calls.py: finds the calls in what a model wrote, whatever family it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MOST_TRIES = 1000  # beginnings of JSON that are looked at
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_FUNCTION = re.compile(r"<function=([\w.-]+)>(.*?)(?:</function>|\Z)", re.DOTALL)  # Llama 3.1, Qwen3-Coder
_PARAMETER = re.compile(r"<parameter=([\w.-]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_NAMED = re.compile(r"([\w.-]+)\s*\[ARGS\]\s*(?=\{)")  # Mistral


@dataclass(frozen=True)
class ToolCall:
    """A call that a model asks for."""

    name: str
    arguments: Any


def find_tool_calls(
    text: str, tools: Collection[str] = (), *, name_key: str = "name", arguments_key: str = "arguments"
) -> list[ToolCall]:
    """The calls in a text, in their order; none if there are none.

    Knows JSON objects with a name and arguments, alone or in lists, between whatever marks (Hermes, Qwen, SmolLM,
    Llama, Mistral), and tags such as ``<function=name>``. What stands in ``<think>`` is no call.

    Args:
        text: What the model wrote.
        tools: Names that are tools; such a call may lack its arguments.
        name_key: How the model calls the name.
        arguments_key: How the model calls the arguments; ``parameters`` is known too.

    Returns:
        The calls.

    Example:
        >>> from flashlm.tool_calls import find_tool_calls
        >>> text = '<tool_call>{"name": "f", "arguments": {}}</tool_call> {"name": "g", "arguments": {"x": 1}}'
        >>> [call.name for call in find_tool_calls(text)]
        ['f', 'g']
    """
    text = _THOUGHTS.sub("", text)
    tagged = [_tagged(match) for match in _FUNCTION.finditer(text)]
    if tagged:
        return tagged
    calls: list[ToolCall] = []
    named = {match.end(): match.group(1) for match in _NAMED.finditer(text)}
    for begin, value in _json_values(text):
        if begin in named:
            calls.append(ToolCall(named[begin], value))
            continue
        for item in value if isinstance(value, list) else [value]:
            call = _call_of(item, tools, name_key, arguments_key)
            if call is not None:
                calls.append(call)
    return calls


def call_schema(
    tools: Sequence[Mapping[str, Any]],
    *,
    name_key: str = "name",
    arguments_key: str = "arguments",
    several: bool = False,
) -> dict[str, Any]:
    """The JSON schema of a call to one of the tools, or of a list of calls.

    Args:
        tools: ``{"type": "function", "function": {"name": ..., "parameters": ...}}`` each.
        name_key: How the model calls the name.
        arguments_key: How the model calls the arguments.
        several: A list of one call or more.

    Returns:
        A schema for ``response_format``.

    Example:
        >>> from flashlm.tool_calls import call_schema
        >>> call_schema([{"function": {"name": "f", "parameters": {"type": "object"}}}])["required"]
        ['name', 'arguments']
    """
    calls = []
    for tool in tools:
        function = tool.get("function", tool)
        properties = {name_key: {"const": function["name"]}, arguments_key: _plain(function["parameters"])}
        calls.append(
            {
                "type": "object",
                "properties": properties,
                "required": [name_key, arguments_key],
                "additionalProperties": False,
            }
        )
    call = calls[0] if len(calls) == 1 else {"anyOf": calls}
    return {"type": "array", "items": call, "minItems": 1} if several else call


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of smolagents as JSON schema knows them: an image or a sound is named by a text."""
    properties = {name: _plain_property(value) for name, value in parameters.get("properties", {}).items()}
    return {**parameters, "properties": properties, "additionalProperties": False}


def _plain_property(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    names = {"image": "string", "audio": "string"}
    kind = value.get("type")
    if isinstance(kind, str):
        return {**value, "type": names.get(kind, kind)}
    return {**value, "type": [names.get(each, each) for each in kind]} if isinstance(kind, list) else dict(value)


def _json_values(text: str) -> Iterator[tuple[int, Any]]:
    """The objects and lists in a text, and where they begin. What stands inside one is not another."""
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
        yield match.start(), value


def _call_of(value: Any, tools: Collection[str], name_key: str, arguments_key: str) -> ToolCall | None:
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

# SPDX-License-Identifier: Apache-2.0
"""messages.py: checks a conversation before a template sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flashlm._core import ArgumentError
from flashlm._engine import checks

Message = Mapping[str, Any]
"""One message: ``{"role": "user", "content": "Hello"}``.

A role and a text, or a list of text parts.
"""

REASONING = ("reasoning_content", "thinking", "reasoning")
"""Names of a thought beside the content, the one that templates read first."""

_MAX_DEPTH = 64


def check_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages as plain data, each with a role and its content as one text.

    The content may be None beside tool calls.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Sequence):
        raise ArgumentError(
            "[chat_template] messages: expected a list of {'role': ..., 'content': ...}, got "
            f"{type(messages).__name__}."
        )
    if not messages:
        raise ArgumentError("[chat_template] messages: expected at least one, got none.")
    return [_check_message(message, f"messages[{index}]") for index, message in enumerate(messages)]


def _check_message(message: object, where: str) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise ArgumentError(
            f"[chat_template] {where}: expected {{'role': ..., 'content': ...}}, got "
            f"{type(message).__name__}."
        )
    plain: dict[str, Any] = plain_data(message, where)
    role = plain.get("role")
    if not isinstance(role, str) or not role:
        raise ArgumentError(
            f"[chat_template] {where}: expected a role such as 'user', got {role!r}."
        )
    content = plain.get("content")
    if isinstance(content, list):
        plain["content"] = "\n".join(
            _text_of(part, f"{where}.content[{i}]") for i, part in enumerate(content)
        )
    elif content is None:
        if not plain.get("tool_calls"):
            raise ArgumentError(f"[chat_template] {where}: expected content, a text, got none.")
    elif not isinstance(content, str):
        raise ArgumentError(
            f"[chat_template] {where}: expected content to be a text, got {type(content).__name__}."
        )
    for call in plain.get("tool_calls") or ():
        _check_call(call, where)
    # As transformers has it: what is None is not there, and a thought has the names that templates
    # know.
    plain = {key: value for key, value in plain.items() if value is not None}
    thought = next((plain[key] for key in REASONING if key in plain), None)
    return (
        plain if thought is None else {"thinking": thought, **plain, "reasoning_content": thought}
    )


def _check_call(call: object, where: str) -> None:
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise ArgumentError(
            f"[chat_template] {where}: expected tool_calls to be a list of "
            f"{{'function': {{'name': ..., 'arguments': ...}}}}, got {call!r}."
        )
    if isinstance(function.get("arguments"), str):  # OpenAI sends JSON; templates want the object
        try:
            function["arguments"] = json.loads(function["arguments"])
        except ValueError as error:
            raise ArgumentError(
                f"[chat_template] {where}: expected the arguments of {function['name']} as JSON, "
                f"got {function['arguments']!r}."
            ) from error


def _text_of(part: object, where: str) -> str:
    if (
        isinstance(part, dict)
        and part.get("type", "text") == "text"
        and isinstance(part.get("text"), str)
    ):
        return str(part["text"])
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    raise ArgumentError(
        f"[chat_template] {where}: expected {{'type': 'text', 'text': ...}}, got {kind!r}. Only "
        f"text can be read."
    )


def plain_data(value: Any, where: str, depth: int = 0) -> Any:
    """The value rebuilt of plain JSON types.

    So a template meets no object with methods of its own.
    """
    if depth > _MAX_DEPTH:
        raise ArgumentError(
            f"[chat_template] {where}: expected at most {_MAX_DEPTH} levels, got more."
        )
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return checks.valid(str.__str__(value))
    for kind in (int, float):
        if isinstance(value, kind):
            return value if type(value) is kind else getattr(kind, f"__{kind.__name__}__")(value)
    if isinstance(value, Mapping):
        return {
            checks.valid(str(key)): plain_data(item, f"{where}.{key}", depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [
            plain_data(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)
        ]
    raise ArgumentError(f"[chat_template] {where}: expected JSON data, got {type(value).__name__}.")


def plain_list(
    values: Sequence[Mapping[str, Any]] | None, where: str
) -> list[dict[str, Any]] | None:
    """A list of mappings as plain data."""
    if values is None:
        return None
    plain: list[dict[str, Any]] = plain_data(list(values), where)
    for index, value in enumerate(plain):
        if not isinstance(value, dict):
            raise ArgumentError(
                f"[chat_template] {where}[{index}]: expected a mapping, got {type(value).__name__}."
            )
    return plain

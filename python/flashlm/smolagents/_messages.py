# SPDX-License-Identifier: Apache-2.0
"""_messages.py: smolagents' messages as chat templates take them.

Results of tools are cut to what a context holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flashlm._core import ArgumentError, cut_to_tokens
from flashlm._engine.checked_calls import checked

__all__ = ["Plain", "fitted", "flatten_messages", "merged", "plain_messages"]

# What smolagents calls things, and what chat templates know.
_ROLES = {"tool-call": "assistant", "tool-response": "user", "tool": "user"}
_KNOWN_ROLES = ("system", "user", "assistant")
_RESULTS = ("tool-response", "tool")
_LONGEST_TOKEN = (
    128  # characters; a text of more than this many a token does not fit, without counting
)
_LEAST_RESULT = 32  # tokens; a context that does not hold so little of each result is too small


@dataclass(frozen=True)
class Plain:
    """A message: its role in the template's words, its text, and whether a tool returned it."""

    role: str
    text: str
    is_result: bool


@checked("smolagents")
def flatten_messages(
    messages: Sequence[Any], role_conversions: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    r"""Messages of smolagents as chat templates take them.

    They have a role and a text each, never the same role twice in a row.

    Args:
        messages: ``ChatMessage`` objects, or mappings; ``content`` is a text or a list of text
            parts.
        role_conversions: Roles of your own, and what they become.

    Returns:
        ``{"role": "user", "content": "Hello"}`` and so on.

    Raises:
        ArgumentError: A role is not known, or content is no text.

    Example:
        >>> from flashlm.smolagents import flatten_messages
        >>> messages = [{"role": "user", "content": "a"}, {"role": "tool-response", "content": "b"}]
        >>> flatten_messages(messages)
        [{'role': 'user', 'content': 'a\nb'}]
    """
    return merged(plain_messages(messages, role_conversions or {}))


def plain_messages(messages: Sequence[Any], role_conversions: Mapping[str, str]) -> list[Plain]:
    """Each message as a role and a text; arguments and errors are those of ``flatten_messages``."""
    roles = {
        **_ROLES,
        **{str(getattr(key, "value", key)): value for key, value in role_conversions.items()},
    }
    plain: list[Plain] = []
    for index, message in enumerate(messages):
        is_mapping = isinstance(message, Mapping)
        role = message.get("role") if is_mapping else getattr(message, "role", None)
        content = message.get("content") if is_mapping else getattr(message, "content", None)
        given = str(getattr(role, "value", role))
        converted = roles.get(given, given)
        name = str(getattr(converted, "value", converted))
        if name not in _KNOWN_ROLES:
            raise ArgumentError(
                f"[smolagents] messages[{index}]: expected a role of system, user, assistant, "
                f"tool-call, tool-response "
                f"or one of custom_role_conversions, got {name!r}."
            )
        plain.append(Plain(name, _text_of(content, f"messages[{index}]"), given in _RESULTS))
    return plain


def merged(messages: Sequence[Plain]) -> list[dict[str, str]]:
    """The same as mappings, neighbours of the same role joined."""
    flat: list[dict[str, str]] = []
    for message in messages:
        if flat and flat[-1]["role"] == message.role:
            flat[-1]["content"] += "\n" + message.text
        else:
            flat.append({"role": message.role, "content": message.text})
    return flat


def fitted(
    messages: Sequence[Plain],
    room: int,
    count: Callable[[str], int],
    count_prompt: Callable[[list[dict[str, str]]], int],
) -> list[dict[str, str]]:
    """The same with the results of tools cut until the prompt fits.

    Then it has at most ``room`` tokens, or as near as that goes.

    All are cut to the same length: half of the room, or a quarter, and so on. So an agent's next
    step mostly cuts them where the last one did, and finds them computed.
    """
    flat = merged(messages)
    longest = max((len(message.text) for message in messages if message.is_result), default=0)
    if not longest or (longest <= room * _LONGEST_TOKEN and count_prompt(flat) <= room):
        return flat
    most = room // 2
    while True:
        flat = merged([_cut(message, most, count) for message in messages])
        if count_prompt(flat) <= room or most <= _LEAST_RESULT:
            return flat
        most //= 2


def _cut(message: Plain, most: int, count: Callable[[str], int]) -> Plain:
    if not message.is_result or len(message.text) <= most:
        return message
    return replace(message, text=cut_to_tokens(message.text, most, count))


def _text_of(content: Any, where: str) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, (list, tuple)) else [content]
    texts = []
    for part in parts:
        if not (isinstance(part, Mapping) and isinstance(part.get("text"), str)):
            kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
            raise ArgumentError(
                f"[smolagents] {where}: expected text, got {kind!r}. Only text can be read."
            )
        texts.append(part["text"])
    return "\n".join(texts)

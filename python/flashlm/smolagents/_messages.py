# SPDX-License-Identifier: Apache-2.0
"""_messages.py: smolagents' messages as chat templates take them.

Results of tools are cut to what a context holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flashlm._core import ArgumentError
from flashlm._engine.checked_calls import checked
from flashlm.chat._fitting import PlainMessage, merged

__all__ = ["flatten_messages", "plain_messages"]

# What smolagents calls things, and what chat templates know.
_ROLES = {"tool-call": "assistant", "tool-response": "user", "tool": "user"}
_KNOWN_ROLES = ("system", "user", "assistant")
_RESULTS = ("tool-response", "tool")


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


def plain_messages(
    messages: Sequence[Any], role_conversions: Mapping[str, str]
) -> list[PlainMessage]:
    """Each message as a role and a text; arguments and errors are those of ``flatten_messages``."""
    roles = {
        **_ROLES,
        **{str(getattr(key, "value", key)): value for key, value in role_conversions.items()},
    }
    plain: list[PlainMessage] = []
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
        plain.append(PlainMessage(name, _text_of(content, f"messages[{index}]"), given in _RESULTS))
    return plain


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

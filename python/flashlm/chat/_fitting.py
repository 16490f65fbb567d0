# SPDX-License-Identifier: Apache-2.0
"""_fitting.py: conversations whose results of tools are cut to what a context holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flashlm._core import cut_to_tokens

_LONGEST_TOKEN = (
    128  # characters; a text of more than this many a token does not fit, without counting
)
_LEAST_RESULT = 32  # tokens; a context that does not hold so little of each result is too small


@dataclass(frozen=True)
class PlainMessage:
    """A message: its role in the template's words, its text, and whether a tool returned that."""

    role: str
    text: str
    is_result: bool = False


def merged(messages: Sequence[PlainMessage]) -> list[dict[str, str]]:
    """The same as mappings, neighbours of the same role joined."""
    flat: list[dict[str, str]] = []
    for message in messages:
        if flat and flat[-1]["role"] == message.role:
            flat[-1]["content"] += "\n" + message.text
        else:
            flat.append({"role": message.role, "content": message.text})
    return flat


def fitted(
    messages: Sequence[PlainMessage],
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


def _cut(message: PlainMessage, most: int, count: Callable[[str], int]) -> PlainMessage:
    if not message.is_result or len(message.text) <= most:
        return message
    return replace(message, text=cut_to_tokens(message.text, most, count))

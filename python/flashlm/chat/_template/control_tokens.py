# SPDX-License-Identifier: Apache-2.0
"""control_tokens.py: which control tokens of a text are the template's, and which are not."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from flashlm.chat._template import marked


class ControlTokens:
    """The control tokens of a tokenizer, and which a template may make of somebody's words."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = [token for token in tokens if token]
        self._ends = re.compile(
            "|".join({re.escape(token[at]) for token in self._tokens for at in (0, -1)}) or "(?!)"
        )

    def made_by(self, value: Any) -> set[str]:
        """The tokens that stand in a text of the value.

        Also those that cutting and joining may make of what stands there.
        """
        if isinstance(value, str):
            if self._ends.search(value) is None:
                return set()
            texts = {value, value.strip()}
            return {
                token for token in self._tokens if any(_may_make(text, token) for text in texts)
            }
        items = (
            [*value, *value.values()]
            if isinstance(value, dict)
            else value
            if isinstance(value, list)
            else []
        )
        return set().union(*map(self.made_by, items))


def _may_make(text: str, token: str) -> bool:
    """Whether `text` holds `token`, a part of it at an end, or both ends with text between."""
    if token in text or (token[:2] in text and token[-2:] in text):
        return True
    lengths = range(1, min(len(text) + 1, len(token)))
    return any(token.startswith(text[-n:]) or token.endswith(text[:n]) for n in lengths)


def parts_of(text: str, quoted: Collection[str]) -> list[tuple[str, bool]]:
    """The text cut where one of the `quoted` tokens, or a part of it, is somebody's words."""
    marks = marked.marks_of(text)
    text = str.__str__(text)
    pattern = re.compile("|".join(map(re.escape, sorted(quoted, key=len, reverse=True))))
    trusted = bytearray(b"1" * len(text))
    behind = 0
    for begin in re.finditer("|".join({re.escape(token[0]) for token in quoted}), text):
        token = pattern.match(text, begin.start())
        if token is None or marked.THEIRS not in marks[token.start() : token.end()]:
            continue
        for place in range(token.start(), token.end()):
            if marks[place] == marked.THEIRS:
                trusted[place] = ord("b" if place == token.start() >= behind else "0")
        behind = max(behind, token.end())
    runs = re.finditer(rb"(1+)|b0*|0+", trusted)
    return [(text[run.start() : run.end()], run[1] is not None) for run in runs]

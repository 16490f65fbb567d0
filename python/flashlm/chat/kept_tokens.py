# SPDX-License-Identifier: Apache-2.0
"""kept_tokens.py: spells a prompt with tokens that are computed already, where texts agree."""

from __future__ import annotations

from collections.abc import Sequence

from flashlm._core import Tokenizer
from flashlm._engine.checked_calls import checked


@checked("kept_tokens")
def keep_tokens(before: Sequence[int], prompt: Sequence[int], tokenizer: Tokenizer) -> list[int]:
    """The prompt, beginning with the tokens of `before` as far as they spell the same text.

    A model may write " moon" in two tokens where the tokenizer would take one. When that text comes
    back in the next prompt, as the history of a conversation does, other ids would mean to compute
    it again.

    Args:
        before: What a session has read and written.
        prompt: The next prompt, as the tokenizer spells it.
        tokenizer: Of both.

    Returns:
        Ids of the same text as `prompt`.

    Example:
        >>> from flashlm.chat.kept_tokens import keep_tokens
        >>> t, h = lm.tokenizer.encode("t")[0], lm.tokenizer.encode("h")[0]
        >>> lm.tokenizer.encode("th!") == [t, h, lm.tokenizer.encode("!")[0]]
        False
        >>> kept = keep_tokens([t, h], lm.tokenizer.encode("th!"), lm.tokenizer)
        >>> kept == [t, h, lm.tokenizer.encode("!")[0]]
        True
    """
    kept = same = 0  # before[:kept] and prompt[:same] spell the same text
    i = j = 0
    old = new = b""  # what before[kept:i] and prompt[same:j] spell
    while True:
        if old == new:
            kept, same, old, new = i, j, b"", b""
            if i == len(before) or j == len(prompt):
                break
            if before[i] == prompt[j]:
                i, j = i + 1, j + 1
                continue
        if len(old) <= len(new):
            more = _plain_bytes(before, i, tokenizer)
            i, old = i + 1, old + more
        else:
            more = _plain_bytes(prompt, j, tokenizer)
            j, new = j + 1, new + more
        n = min(len(old), len(new))
        if not more or old[:n] != new[:n]:
            break
    return [*before[:kept], *prompt[same:]]


def _plain_bytes(ids: Sequence[int], index: int, tokenizer: Tokenizer) -> bytes:
    """What a token spells.

    Nothing at the end and for a special one, which no text can stand for.
    """
    if index >= len(ids) or tokenizer.is_special(ids[index]):
        return b""
    return tokenizer.bytes(ids[index])

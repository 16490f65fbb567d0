# SPDX-License-Identifier: Apache-2.0
"""kept_tokens.py: spells a prompt with tokens that are computed already, where texts agree."""

from __future__ import annotations

from collections.abc import Sequence

from flashlm import _core
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
    return _core.keep_tokens(before, prompt, tokenizer)

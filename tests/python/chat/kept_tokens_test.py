# SPDX-License-Identifier: Apache-2.0
"""keep_tokens: the same text, begun with the tokens that are there."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

import byte_level
import flashlm
from flashlm.chat.kept_tokens import keep_tokens
from flashlm.packing.tokenizers.tokenizer import byte_characters

MERGES = ("t h", "Ġ th", "i n", "Ġ a", "e r", "Ġth e")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WORDS = [*SPECIAL, *byte_characters(), *(merge.replace(" ", "") for merge in MERGES)]
TOKENIZER = flashlm.Tokenizer.parse(json.dumps(byte_level.tokenizer(WORDS, SPECIAL, MERGES)))
IDS = st.lists(st.integers(0, len(WORDS) - 1), max_size=20)
TEXT = st.text(alphabet="the an<|im_end|>\né", max_size=40)


def in_bytes(text: str) -> list[int]:
    """A text in tokens of one byte each, as no tokenizer spells it."""
    singles = {TOKENIZER.bytes(token): token for token in range(3, 259)}
    return [singles[bytes([byte])] for byte in text.encode()]


@given(TEXT, TEXT)
def test_text_that_is_there_keeps_its_tokens(old: str, more: str) -> None:
    before = in_bytes(old)
    prompt = TOKENIZER.encode(old + "|" + more, parse_special=False)
    kept = keep_tokens(before, prompt, TOKENIZER)
    assert TOKENIZER.decode(kept) == old + "|" + more
    assert kept[: len(before)] == before


@given(IDS, IDS)
def test_bytes_and_special_tokens_stay_as_they_are(before: list[int], prompt: list[int]) -> None:
    kept = keep_tokens(before, prompt, TOKENIZER)
    assert b"".join(map(TOKENIZER.bytes, kept)) == b"".join(map(TOKENIZER.bytes, prompt))
    specials = [token for token in prompt if TOKENIZER.is_special(token)]
    assert [token for token in kept if TOKENIZER.is_special(token)] == specials


def test_a_quoted_special_token_is_not_the_real_one() -> None:
    real = TOKENIZER.encode("a<|im_end|>b", parse_special=True)
    quoted = TOKENIZER.encode("a<|im_end|>b", parse_special=False)
    assert keep_tokens(real, quoted, TOKENIZER) == quoted
    assert keep_tokens(quoted, real, TOKENIZER) == real

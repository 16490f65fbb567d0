# SPDX-License-Identifier: Apache-2.0
"""tokenizer.json from the fields of a GGUF."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flashlm._core import FormatError, Tokenizer
from flashlm.packing.tokenizers.pre_tokenizers import PRE_TOKENIZERS
from flashlm.packing.tokenizers.tokenizer import tokenizer_json

TOKENS = ["<|end|>", "<tool>", "a", "b", "1", "2", "\u0120", "ab", "\u0120ab", "<pad>"]


def metadata(**changes: object) -> dict[str, object]:
    """A small vocabulary; a change to None removes the field."""
    fields: dict[str, Any] = {
        "model": "gpt2",
        "pre": "smollm",
        "tokens": TOKENS,
        "token_type": [3, 4, 1, 1, 1, 1, 1, 1, 1, 5],
        "merges": ["a b", "\u0120 ab"],
        "bos_token_id": 0,
        "eos_token_id": 0,
        "add_bos_token": False,
        **changes,
    }
    return {f"tokenizer.ggml.{name}": value for name, value in fields.items() if value is not None}


def ids(text: str, **changes: object) -> list[int]:
    """The tokens of `text` by such a vocabulary."""
    return Tokenizer.parse(json.dumps(tokenizer_json(metadata(**changes)))).encode(text)


def test_smollm_cuts_off_every_digit() -> None:
    assert ids("ab ab 12<|end|>") == [7, 8, 6, 4, 5, 0]
    assert ids("ab 12", pre="gpt-2") == [7, 6, 4, 5]


@pytest.mark.parametrize("pre", PRE_TOKENIZERS)
def test_every_known_pre_tokenizer_is_read_by_the_engine(pre: str) -> None:
    assert ids(" ab<tool>b", pre=pre, add_bos_token=False) == [8, 1, 3]


def test_control_tokens_are_special_and_user_tokens_are_not() -> None:
    tokenizer = Tokenizer.parse(json.dumps(tokenizer_json(metadata())))
    assert tokenizer.is_special(0)
    assert not tokenizer.is_special(1)
    assert tokenizer.encode("<|end|><tool>", parse_special=False)[-1] == 1
    assert tokenizer.id("<pad>") is None


def test_bos_and_eos_are_added_where_the_file_says_so() -> None:
    assert ids("a", add_bos_token=True) == [0, 2]
    assert ids("a", add_bos_token=True, add_eos_token=True, eos_token_id=1) == [0, 2, 1]
    assert ids("a", pre="llama-bpe", add_bos_token=None) == [0, 2]
    assert ids("a", add_bos_token=None) == [2]


def test_smaug_cuts_as_llama_3_but_has_no_other_of_its_rules() -> None:
    tokens = ["<|begin|>", "a", "b", "c", "ab", "abc", *"123", "12", "123", "\u0120"]
    changes: dict[str, Any] = {
        "tokens": tokens,
        "token_type": [3] + [1] * (len(tokens) - 1),
        "merges": ["a b", "1 2", "12 3"],
        "add_bos_token": None,
    }
    for pre in ("smaug-bpe", "dbrx"):
        assert ids("1231", pre=pre, **changes) == [10, 6]  # up to three digits
        assert ids("abc", pre=pre, **changes) == [4, 3]  # merges count, though the whole is a token
        assert ids("a", pre=pre, **{**changes, "add_bos_token": True}) == [0, 1]
    assert ids("abc1231", pre="llama-bpe", **changes) == [0, 5, 10, 6]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": "bert"}, "tokenizer.ggml.model"),
        ({"model": None}, "tokenizer.ggml.model"),
        ({"pre": "bloom"}, "bloom"),
        ({"pre": None}, "tokenizer.ggml.pre"),
        ({"tokens": None}, "tokenizer.ggml.tokens"),
        ({"tokens": [*TOKENS[:-2], "a", "c"]}, "tokenizer.ggml.tokens"),
        ({"tokens": [1, 2]}, "tokenizer.ggml.tokens"),
        ({"token_type": [3]}, "tokenizer.ggml.token_type"),
        ({"merges": None}, "tokenizer.ggml.merges"),
        ({"merges": ["a"]}, "tokenizer.ggml.merges"),
        ({"add_bos_token": True, "bos_token_id": 99}, "tokenizer.ggml.bos_token_id"),
        ({"add_bos_token": True, "bos_token_id": None}, "tokenizer.ggml.bos_token_id"),
        ({"add_bos_token": "yes"}, "tokenizer.ggml.add_bos_token"),
        ({"add_space_prefix": True}, "tokenizer.ggml.add_space_prefix"),
    ],
)
def test_what_is_broken_or_unknown_is_a_format_error_that_names_it(
    changes: dict[str, object], named: str
) -> None:
    with pytest.raises(FormatError, match=named):
        tokenizer_json(metadata(**changes))

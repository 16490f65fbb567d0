# SPDX-License-Identifier: Apache-2.0
"""byte_level.py: tokenizer.json of a byte-level BPE vocabulary, for the models of the tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def byte_alphabet() -> list[str]:
    """GPT-2's characters for the 256 bytes, by byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = iter(range(256, 512))
    return [chr(byte) if byte in shown else chr(next(hidden)) for byte in range(256)]


def tokenizer(words: Sequence[str], special: Sequence[str], merges: Sequence[str]) -> dict[str, Any]:
    """The tokenizer.json of `words`, whose places are their ids. `special` names those that are special tokens."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": words.index(text),
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for text in special
        ],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {word: index for index, word in enumerate(words)},
            "merges": [merge.split(" ") for merge in merges],
        },
    }

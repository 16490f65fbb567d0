# SPDX-License-Identifier: Apache-2.0
"""byte_level.py: tokenizer.json of a byte-level BPE vocabulary, for the models of the tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flashlm.packing.tokenizers.pre_tokenizers import byte_level
from flashlm.packing.tokenizers.tokenizer import bpe_document


def tokenizer(
    words: Sequence[str], special: Sequence[str], merges: Sequence[str]
) -> dict[str, Any]:
    """The tokenizer.json of `words`, whose places are their ids.

    `special` names those that are special tokens.
    """
    level = byte_level(use_regex=True)
    return bpe_document(
        {word: index for index, word in enumerate(words)},
        [merge.split(" ") for merge in merges],
        dict.fromkeys(special, True),
        pre_tokenizer=level,
        post_processor=level,
    )

# SPDX-License-Identifier: Apache-2.0
"""tokenizer.py: writes tokenizer.json from the vocabulary inside a GGUF."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from flashlm._core import FormatError
from flashlm.packing.tokenizers import sentencepiece
from flashlm.packing.tokenizers.pre_tokenizers import (
    PRE_TOKENIZERS,
    WHOLE_WORDS,
    WITH_BOS,
    byte_level,
)
from flashlm.packing.tokenizers.sentencepiece import CONTROL, UNUSED, USER_DEFINED, Piece


def byte_characters() -> list[str]:
    """GPT-2's characters for the 256 bytes, by byte."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = itertools.count(256)
    return [chr(byte) if byte in shown else chr(next(hidden)) for byte in range(256)]


_ADDED = (CONTROL, USER_DEFINED)
# tokenizer.ggml.model of SentencePiece: whether it is unigram.
_SENTENCEPIECE = {"llama": False, "gemma4": False, "t5": True}


def _wrong(key: str, expected: str, got: object) -> FormatError:
    return FormatError(f"[pack] {key}: expected {expected}, got {got!r:.80} (GGUF)")


def _strings(metadata: Mapping[str, object], key: str) -> list[str]:
    values = metadata.get(key)
    if not isinstance(values, list):
        raise _wrong(key, "a list of strings", values)
    strings = [value for value in values if isinstance(value, str)]
    if len(strings) != len(values):
        raise _wrong(
            key, "a list of strings", next(value for value in values if not isinstance(value, str))
        )
    return strings


def _token_types(metadata: Mapping[str, object], count: int) -> list[int]:
    key = "tokenizer.ggml.token_type"
    values = metadata.get(key)
    if not isinstance(values, list) or len(values) != count:
        raise _wrong(
            key,
            f"a list of {count} numbers",
            values if not isinstance(values, list) else len(values),
        )
    return [int(value) for value in values]


def _flag(metadata: Mapping[str, object], key: str, absent: bool) -> bool:
    value = metadata.get(key, absent)
    if not isinstance(value, bool):
        raise _wrong(key, "true or false", value)
    return value


def _merges(metadata: Mapping[str, object]) -> list[list[str]]:
    """Pairs of tokens in the order in which they are merged."""
    merges = []
    for merge in _strings(metadata, "tokenizer.ggml.merges"):
        if merge.count(" ") != 1:
            raise _wrong("tokenizer.ggml.merges", "two tokens with a space between", merge)
        merges.append(merge.split(" "))
    return merges


def _template(token: str, token_id: int) -> tuple[dict[str, object], dict[str, object]]:
    part: dict[str, object] = {"SpecialToken": {"id": token, "type_id": 0}}
    return part, {"id": token, "ids": [token_id], "tokens": [token]}


def _around(
    metadata: Mapping[str, object], tokens: list[str], *, bos: bool, eos: bool = False
) -> dict[str, tuple[str, int]]:
    """BOS and EOS, where the model wants them around a text; `bos` and `eos` if it does not say."""
    wanted = {
        "bos": _flag(metadata, "tokenizer.ggml.add_bos_token", bos),
        "eos": _flag(metadata, "tokenizer.ggml.add_eos_token", eos),
    }
    around: dict[str, tuple[str, int]] = {}
    for name, add in wanted.items():
        if add:
            key = f"tokenizer.ggml.{name}_token_id"
            token_id = metadata.get(key)
            if not isinstance(token_id, int) or not 0 <= token_id < len(tokens):
                raise _wrong(key, f"an id in [0, {len(tokens)})", token_id)
            around[name] = tokens[token_id], token_id
    return around


def post_processor(around: Mapping[str, tuple[str, int]]) -> dict[str, object]:
    """The step of tokenizer.json that puts special tokens around a text.

    They are "bos" and "eos", each a token and its id.
    """
    if not around:
        return byte_level(use_regex=True)
    parts = {name: _template(*token) for name, token in around.items()}
    text: dict[str, object] = {"Sequence": {"id": "A", "type_id": 0}}
    second: dict[str, object] = {"Sequence": {"id": "B", "type_id": 1}}
    before = [parts["bos"][0]] if "bos" in parts else []
    after = [parts["eos"][0]] if "eos" in parts else []
    return {
        "type": "TemplateProcessing",
        "single": [*before, text, *after],
        "pair": [*before, text, *after, *before, second, *after],
        "special_tokens": {around[name][0]: entry for name, (_, entry) in parts.items()},
    }


def bpe_document(
    vocab: Mapping[str, int],
    merges: list[list[str]],
    added: Mapping[str, bool],
    *,
    pre_tokenizer: Mapping[str, object],
    post_processor: Mapping[str, object],
    ignore_merges: bool = False,
) -> dict[str, object]:
    """The tokenizer.json of a byte-level BPE vocabulary.

    `added` says which tokens are added and which special.
    """
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": vocab[token],
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": special,
            }
            for token, special in added.items()
        ],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor,
        "decoder": byte_level(use_regex=True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": ignore_merges,
            "vocab": dict(vocab),
            "merges": merges,
        },
    }


def tokenizer_json(metadata: Mapping[str, object]) -> dict[str, object]:
    """Build the tokenizer.json of a GGUF's vocabulary.

    Args:
        metadata: The fields of the GGUF as plain values: str, bool, int and lists of them.

    Returns:
        The content of tokenizer.json, which both `flashlm.Tokenizer` and Hugging Face's
        `tokenizers` read.

    Raises:
        FormatError: The vocabulary is of another kind, its pre-tokenizer is not known, or a field
            is broken.

    Example:
        >>> document = tokenizer_json({
        ...     "tokenizer.ggml.model": "gpt2",
        ...     "tokenizer.ggml.pre": "smollm",
        ...     "tokenizer.ggml.tokens": ["<|im_end|>", "a", "b", "ab"],
        ...     "tokenizer.ggml.token_type": [3, 1, 1, 1],
        ...     "tokenizer.ggml.merges": ["a b"],
        ... })
        >>> document["model"]["vocab"]
        {'<|im_end|>': 0, 'a': 1, 'b': 2, 'ab': 3}
    """
    model = metadata.get("tokenizer.ggml.model")
    if model in _SENTENCEPIECE:
        return _of_pieces(metadata, str(model))
    if model != "gpt2":
        raise _wrong(
            "tokenizer.ggml.model",
            "'gpt2' (byte-level BPE), 'llama' or 'gemma4' (SentencePiece's BPE), or 't5' (unigram)",
            model,
        )
    pre = metadata.get("tokenizer.ggml.pre")
    if not isinstance(pre, str) or pre not in PRE_TOKENIZERS:
        raise _wrong("tokenizer.ggml.pre", "one of " + ", ".join(PRE_TOKENIZERS), pre)
    pre_tokenizer = PRE_TOKENIZERS[pre]
    if _flag(metadata, "tokenizer.ggml.add_space_prefix", False):
        raise _wrong("tokenizer.ggml.add_space_prefix", "false for byte-level BPE", True)

    tokens = _strings(metadata, "tokenizer.ggml.tokens")
    types = _token_types(metadata, len(tokens))
    vocab = {token: index for index, token in enumerate(tokens) if types[index] != UNUSED}
    if len(vocab) != sum(kind != UNUSED for kind in types):
        raise _wrong(
            "tokenizer.ggml.tokens", "no token twice", f"{len(tokens) - len(vocab)} repeated"
        )
    added = {
        token: types[index] == CONTROL
        for index, token in enumerate(tokens)
        if types[index] in _ADDED
    }
    return bpe_document(
        vocab,
        _merges(metadata),
        added,
        pre_tokenizer=pre_tokenizer,
        post_processor=post_processor(_around(metadata, tokens, bos=pre in WITH_BOS)),
        ignore_merges=pre in WHOLE_WORDS,
    )


def _of_pieces(metadata: Mapping[str, object], model: str) -> dict[str, object]:
    """The tokenizer.json of SentencePiece's pieces; llama.cpp's answers where the file has none."""
    unigram = _SENTENCEPIECE[model]
    tokens = _strings(metadata, "tokenizer.ggml.tokens")
    types = _token_types(metadata, len(tokens))
    key = "tokenizer.ggml.scores"
    scores = metadata.get(key)
    if not isinstance(scores, list) or len(scores) != len(tokens):
        raise _wrong(key, f"a list of {len(tokens)} numbers", scores)
    if metadata.get("tokenizer.ggml.precompiled_charsmap"):
        raise _wrong(
            "tokenizer.ggml.precompiled_charsmap",
            "no table of characters, which is not read",
            "one",
        )
    if _flag(metadata, "tokenizer.ggml.remove_extra_whitespaces", False):
        raise _wrong("tokenizer.ggml.remove_extra_whitespaces", "false", True)
    around = _around(metadata, tokens, bos=not unigram, eos=unigram)
    return sentencepiece.document(
        [Piece(*each) for each in zip(tokens, map(float, scores), types, strict=True)],
        unigram=unigram,
        space_prefix=_flag(metadata, "tokenizer.ggml.add_space_prefix", model != "gemma4"),
        post_processor=post_processor(around) if around else {},
        where="GGUF",
        merges=_merges(metadata) if model == "gemma4" else None,
    )

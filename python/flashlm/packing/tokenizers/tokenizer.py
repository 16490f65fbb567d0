# SPDX-License-Identifier: Apache-2.0
"""tokenizer.py: writes tokenizer.json from the vocabulary inside a GGUF."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from flashlm._core import FormatError

_LLAMA3_REGEX = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2_REGEX = _LLAMA3_REGEX.replace("{1,3}", "")


def byte_level(*, use_regex: bool, add_prefix_space: bool = False) -> dict[str, object]:
    """The step of tokenizer.json that turns bytes into GPT-2's characters."""
    return {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": True,
        "use_regex": use_regex,
    }


def byte_characters() -> list[str]:
    """GPT-2's characters for the 256 bytes, by byte."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = itertools.count(256)
    return [chr(byte) if byte in shown else chr(next(hidden)) for byte in range(256)]


def _split(regex: str) -> dict[str, object]:
    cut = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [cut, byte_level(use_regex=False)]}


_GPT2 = byte_level(use_regex=True)
_DIGITS: dict[str, object] = {
    "type": "Sequence",
    "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level(use_regex=True)],
}
_LLAMA3 = _split(_LLAMA3_REGEX)
_QWEN2 = _split(_QWEN2_REGEX)

# tokenizer.ggml.pre, in the names of llama.cpp: those whose rules tokenizer.json can say and the
# engine reads.
_PRE_TOKENIZERS: dict[str, dict[str, object]] = {
    "gpt-2": _GPT2,
    "phi-2": _GPT2,
    "smollm": _DIGITS,
    "starcoder": _DIGITS,
    "refact": _DIGITS,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "llama-bpe": _LLAMA3,
    "falcon3": _LLAMA3,
    # The same cuts, and nothing else of Llama 3: merges count, and no BOS unless the file says so.
    "smaug-bpe": _LLAMA3,
    "dbrx": _LLAMA3,
    "qwen2": _QWEN2,
    "deepseek-r1-qwen": _QWEN2,
}
_LLAMA3_NAMES = ("llama3", "llama-v3", "llama-bpe", "falcon3")

# The kinds of token_type, as gguf.TokenType numbers them.
_CONTROL = 3
_USER_DEFINED = 4
_UNUSED = 5
_ADDED = (_CONTROL, _USER_DEFINED)


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


def _template(token: str, token_id: int) -> tuple[dict[str, object], dict[str, object]]:
    part: dict[str, object] = {"SpecialToken": {"id": token, "type_id": 0}}
    return part, {"id": token, "ids": [token_id], "tokens": [token]}


def _around(
    metadata: Mapping[str, object], pre: str, tokens: list[str]
) -> dict[str, tuple[str, int]]:
    """BOS and EOS, where the model wants them around a text."""
    wanted = {
        # llama.cpp adds BOS for Llama 3 unless the file says otherwise.
        "bos": _flag(metadata, "tokenizer.ggml.add_bos_token", pre in _LLAMA3_NAMES),
        "eos": _flag(metadata, "tokenizer.ggml.add_eos_token", False),
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
        FormatError: The vocabulary is no byte-level BPE, its pre-tokenizer is not known, or a field
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
    if model != "gpt2":
        raise _wrong(
            "tokenizer.ggml.model", "'gpt2' (byte-level BPE; SentencePiece is not read yet)", model
        )
    pre = metadata.get("tokenizer.ggml.pre")
    if not isinstance(pre, str) or pre not in _PRE_TOKENIZERS:
        raise _wrong("tokenizer.ggml.pre", "one of " + ", ".join(_PRE_TOKENIZERS), pre)
    pre_tokenizer = _PRE_TOKENIZERS[pre]
    if _flag(metadata, "tokenizer.ggml.add_space_prefix", False):
        raise _wrong("tokenizer.ggml.add_space_prefix", "false for byte-level BPE", True)

    tokens = _strings(metadata, "tokenizer.ggml.tokens")
    types = _token_types(metadata, len(tokens))
    vocab = {token: index for index, token in enumerate(tokens) if types[index] != _UNUSED}
    if len(vocab) != sum(kind != _UNUSED for kind in types):
        raise _wrong(
            "tokenizer.ggml.tokens", "no token twice", f"{len(tokens) - len(vocab)} repeated"
        )
    added = {
        token: types[index] == _CONTROL
        for index, token in enumerate(tokens)
        if types[index] in _ADDED
    }
    merges = []
    for merge in _strings(metadata, "tokenizer.ggml.merges"):
        if merge.count(" ") != 1:
            raise _wrong("tokenizer.ggml.merges", "two tokens with a space between", merge)
        merges.append(merge.split(" "))
    return bpe_document(
        vocab,
        merges,
        added,
        pre_tokenizer=pre_tokenizer,
        post_processor=post_processor(_around(metadata, pre, tokens)),
        ignore_merges=pre in _LLAMA3_NAMES,
    )

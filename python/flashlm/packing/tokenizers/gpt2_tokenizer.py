# SPDX-License-Identifier: Apache-2.0
"""gpt2_tokenizer.py: writes tokenizer.json from the older files of GPT-2's tokenizer.

Those are vocab.json and merges.txt.

The checkpoints of OPT were published with these. transformers, tokenization_gpt2.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flashlm._core import FormatError
from flashlm._engine.files import read_object, read_text_file
from flashlm.packing.tokenizers.pre_tokenizers import byte_level
from flashlm.packing.tokenizers.tokenizer import bpe_document, post_processor

VOCAB, MERGES = "vocab.json", "merges.txt"
_SPECIAL = (
    "bos_token",
    "eos_token",
    "unk_token",
    "pad_token",
    "sep_token",
    "cls_token",
    "mask_token",
)
_CONFIGS = ("special_tokens_map.json", "tokenizer_config.json")  # the later one has the last word
_ADDED = "added_tokens.json"


def gpt2_tokenizer_json(folder: Path, *, adds_bos: bool) -> dict[str, Any]:
    """Builds the tokenizer.json of a folder with vocab.json and merges.txt.

    Args:
        folder: Holds the two, and maybe special_tokens_map.json, tokenizer_config.json and
            added_tokens.json.
        adds_bos: Whether a text begins with the BOS token, where tokenizer_config.json does not say
            it: OPT does it so.

    Returns:
        The content of tokenizer.json, which both `flashlm.Tokenizer` and Hugging Face's
        `tokenizers` read.

    Raises:
        FormatError: A file is broken, or the BOS token is not in the vocabulary; names file and
            field.
        IoError: A file cannot be read.
    """
    vocab = _ids(folder / VOCAB)
    if (folder / _ADDED).is_file():
        vocab |= _ids(folder / _ADDED)
    by_id: dict[int, str] = {}
    for token, number in vocab.items():
        if by_id.setdefault(number, token) != token:
            raise FormatError(
                f"[pack] {VOCAB}: expected each id once, got {number} twice ({folder / VOCAB})"
            )
    config: dict[str, Any] = {}
    for name in _CONFIGS:
        if (folder / name).is_file():
            config |= read_object(folder / name)
    special = _special_tokens(config, vocab)
    bos = _content(config.get("bos_token"))
    if _flag(config, "add_bos_token", folder, absent=adds_bos):
        bos = bos or "</s>"
        if bos not in vocab:
            raise FormatError(
                f"[pack] bos_token: expected a token of {VOCAB}, got {bos!r} ({folder})"
            )
        special[bos] = vocab[bos]
    else:
        bos = None
    prefix = _flag(config, "add_prefix_space", folder, absent=False)
    return bpe_document(
        vocab,
        _merges(folder / MERGES),
        dict.fromkeys(sorted(special, key=special.__getitem__), True),
        pre_tokenizer=byte_level(use_regex=True, add_prefix_space=prefix),
        post_processor=post_processor({"bos": (bos, vocab[bos])} if bos is not None else {}),
    )


def _ids(path: Path) -> dict[str, int]:
    """Token -> id."""
    result: dict[str, int] = {}
    for token, number in read_object(path).items():
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 1 << 31:
            raise FormatError(
                f"[pack] {path.name}: expected an id, got {number!r:.80} for {token!r:.80} ({path})"
            )
        result[token] = number
    return result


def _special_tokens(config: Mapping[str, Any], vocab: Mapping[str, int]) -> dict[str, int]:
    """The special tokens that the configs name, as far as the vocabulary has them."""
    names = [_content(config.get(key)) for key in _SPECIAL]
    more = config.get("additional_special_tokens")
    names += [_content(token) for token in more] if isinstance(more, list) else []
    return {name: vocab[name] for name in names if name is not None and name in vocab}


def _content(token: object) -> str | None:
    """A token is written as its text, or as an object with its text."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None


def _merges(path: Path) -> list[list[str]]:
    try:
        lines = read_text_file(path).decode().split("\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"[pack] {path.name}: {error} ({path})") from error
    merges = []
    for number, line in enumerate((line.rstrip("\r") for line in lines), start=1):
        if not line or (number == 1 and line.startswith("#version")):
            continue
        pair = line.split(" ")
        if len(pair) != 2 or not all(pair):  # noqa: PLR2004 - a pair
            place = f"({path}, line {number})"
            raise FormatError(
                f"[pack] {path.name}: expected two tokens with a space between, got {line!r:.80} "
                f"({place})"
            )
        merges.append(pair)
    return merges


def _flag(config: Mapping[str, Any], key: str, folder: Path, *, absent: bool) -> bool:
    value = config.get(key)
    if not isinstance(value, bool | None):
        raise FormatError(
            f"[pack] {key}: expected true or false, got {value!r:.80} ({folder / _CONFIGS[-1]})"
        )
    return absent if value is None else value

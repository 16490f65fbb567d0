# SPDX-License-Identifier: Apache-2.0
"""tokenizer.json from pieces of SentencePiece: of a GGUF, and of a tokenizer.model."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from flashlm._core import FormatError, Tokenizer
from flashlm.packing.tokenizers.sentencepiece import (
    BYTE,
    CONTROL,
    NORMAL,
    UNKNOWN,
    USER_DEFINED,
    Piece,
    read_model,
    sentencepiece_json,
)
from flashlm.packing.tokenizers.tokenizer import post_processor, tokenizer_json

PIECES = [
    Piece("<unk>", 0, UNKNOWN),
    Piece("<s>", 0, CONTROL),
    Piece("</s>", 0, CONTROL),
    *(Piece(f"<0x{byte:02X}>", 0, BYTE) for byte in range(256)),
    *(Piece(text, -place) for place, text in enumerate(["ab", "\u2581ab", "bc", "abc"])),
    *(Piece(text, -100 - place) for place, text in enumerate("\u2581abc\u00e9")),
    Piece("<tool>", 0, USER_DEFINED),
]
IDS = {piece.text: index for index, piece in enumerate(PIECES)}


def of_gguf(model: str = "llama", **changes: object) -> Tokenizer:
    """The tokenizer of a GGUF with these pieces; a change to None removes a field."""
    fields: dict[str, Any] = {
        "model": model,
        "tokens": [piece.text for piece in PIECES],
        "scores": [piece.score for piece in PIECES],
        "token_type": [piece.kind for piece in PIECES],
        "bos_token_id": 1,
        "eos_token_id": 2,
        **changes,
    }
    metadata = {
        f"tokenizer.ggml.{name}": value for name, value in fields.items() if value is not None
    }
    return Tokenizer.parse(json.dumps(tokenizer_json(metadata)))


def field(number: int, value: bytes | float) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def model_bytes(kind: int = 2, prefix: int = 1, charsmap: bytes = b"", spaces: int = 0) -> bytes:
    """A tokenizer.model with these pieces."""
    pieces = b"".join(
        field(1, field(1, p.text.encode()) + field(2, float(p.score)) + field(3, p.kind))
        for p in PIECES
    )
    trainer = field(3, kind) + field(40, 0) + field(41, 1) + field(42, 2)
    normalizer = field(1, b"some") + field(3, prefix) + field(4, spaces)
    return (
        pieces
        + field(2, trainer)
        + field(3, normalizer + (field(2, charsmap) if charsmap else b""))
    )


def named(*texts: str) -> list[int]:
    return [IDS[text] for text in texts]


def test_pieces_are_merged_by_score_behind_a_space() -> None:
    tokenizer = of_gguf()
    assert tokenizer.encode("abc") == named("<s>", "\u2581ab", "c")
    assert tokenizer.encode("abc abc", add_special=False) == named("\u2581ab", "c") * 2
    assert tokenizer.encode("babc", add_special=False) == named("\u2581", "b", "abc")
    assert tokenizer.decode(tokenizer.encode("abc abc"), skip_special=True) == "abc abc"


def test_what_has_no_piece_becomes_its_bytes() -> None:
    tokenizer = of_gguf(add_space_prefix=False)
    assert tokenizer.encode("x\u00e9", add_special=False) == named("<0x78>", "\u00e9")
    assert tokenizer.encode("\u00e8", add_special=False) == named("<0xC3>", "<0xA8>")
    assert tokenizer.decode(named("<0xC3>", "<0xA8>", "ab")) == "\u00e8ab"


def test_control_tokens_are_trusted_only_where_they_may_be() -> None:
    tokenizer = of_gguf(add_space_prefix=False)
    assert tokenizer.encode("<s>ab<tool>", add_special=False) == named("<s>", "ab", "<tool>")
    plain = tokenizer.encode("<s>ab<tool>", add_special=False, parse_special=False)
    assert not any(tokenizer.is_special(token) for token in plain)


def test_unigram_takes_the_best_sum_of_scores() -> None:
    tokenizer = of_gguf("t5", add_space_prefix=False)
    assert tokenizer.encode("abc") == named("abc", "</s>")
    assert tokenizer.encode("bcab", add_special=False) == named("bc", "ab")


def test_a_tokenizer_model_alone_gives_the_same_as_a_gguf(tmp_path: Path) -> None:
    for kind, of in ((2, "llama"), (1, "t5")):
        (tmp_path / "tokenizer.model").write_bytes(model_bytes(kind))
        document = sentencepiece_json(tmp_path, adds_bos=True, post_processor=post_processor)
        tokenizer = Tokenizer.parse(json.dumps(document))
        for text in ("", "abc", " ab\u00e9 x", "<s>ab"):
            expected = of_gguf(of, add_bos_token=True, add_eos_token=False).encode(text)
            assert tokenizer.encode(text) == expected
    (tmp_path / "tokenizer_config.json").write_text(
        '{"add_bos_token": false, "add_eos_token": true}'
    )
    document = sentencepiece_json(tmp_path, adds_bos=True, post_processor=post_processor)
    assert Tokenizer.parse(json.dumps(document)).encode("")[-1] == IDS["</s>"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (model_bytes()[:-3], "cut short"),
        (b"", "got type 1 with 0 pieces"),
        (model_bytes(kind=3), "got type 3"),
        (model_bytes(charsmap=b"x"), "got 'some'"),
        (model_bytes(spaces=1), "remove_extra_whitespaces"),
        (b"\x0b\x0b", "another file"),
        (b"\x80" * 20, "cut short"),
        (field(1, field(1, b"\xff")), "UTF-8"),
    ],
)
def test_a_broken_model_is_named(tmp_path: Path, data: bytes, what: str) -> None:
    (tmp_path / "tokenizer.model").write_bytes(data)
    with pytest.raises(FormatError, match=what) as raised:
        read_model(tmp_path / "tokenizer.model")
    assert str(tmp_path) in str(raised.value)


def test_every_cut_of_a_model_is_a_format_error_or_a_model(tmp_path: Path) -> None:
    whole = model_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "tokenizer.model").write_bytes(whole[:length])
        try:
            read_model(tmp_path / "tokenizer.model")
        except FormatError:
            continue


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"scores": None}, "tokenizer.ggml.scores"),
        ({"scores": [0.0]}, "tokenizer.ggml.scores"),
        ({"scores": [float("nan")] * len(PIECES)}, "scores that are numbers"),
        ({"tokens": ["a"] * len(PIECES)}, "no piece twice"),
        ({"token_type": [NORMAL, BYTE, *[NORMAL] * (len(PIECES) - 2)]}, "256 bytes or none, got 1"),
        ({"precompiled_charsmap": [1]}, "precompiled_charsmap"),
        ({"remove_extra_whitespaces": True}, "remove_extra_whitespaces"),
    ],
)
def test_a_broken_vocabulary_of_a_gguf_is_named(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(FormatError, match=what):
        of_gguf(**changes)

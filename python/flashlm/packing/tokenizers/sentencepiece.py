# SPDX-License-Identifier: Apache-2.0
"""sentencepiece.py: writes tokenizer.json from the pieces of a SentencePiece model."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flashlm._core import FormatError
from flashlm._engine.files import read_object

MODEL = "tokenizer.model"
SPACE = "\u2581"  # stands for a space in a piece

# Kinds of pieces, as sentencepiece_model.proto and GGUF number them.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)

_UNIGRAM, _BPE = 1, 2  # TrainerSpec.model_type
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3  # fields of ModelProto


_LINES = {
    "type": "Split",
    "pattern": {"Regex": r"[^\n]+|[\n]+"},
    "behavior": "Isolated",
    "invert": False,
}


@dataclass(frozen=True)
class Piece:
    """A token of a SentencePiece model; of pieces that can be merged the highest score is first."""

    text: str
    score: float
    kind: int = NORMAL


def document(
    pieces: Sequence[Piece],
    *,
    unigram: bool,
    space_prefix: bool,
    post_processor: Mapping[str, object],
    where: str,
    merges: list[list[str]] | None = None,
) -> dict[str, object]:
    """The tokenizer.json of SentencePiece's pieces, as transformers converts them.

    Args:
        pieces: By id. Pieces that are written alike are refused.
        unigram: Words become the pieces with the best sum of scores, else pieces are merged by
            score.
        space_prefix: A space is put before each text.
        post_processor: What stands around a text.
        where: File and field, for messages.
        merges: Of BPE, if they do not follow from the scores. Words are lines then, as in Gemma 4.

    Raises:
        FormatError: Pieces that repeat, a score that is not a number, bytes that are incomplete.

    Example:
        >>> three = [Piece("<unk>", 0, UNKNOWN), Piece("a", -1), Piece("b", -2), Piece("ab", -3)]
        >>> whole = document(three, unigram=False, space_prefix=False, post_processor={}, where="x")
        >>> whole["model"]["merges"]
        [['a', 'b']]
    """
    vocab = {piece.text: index for index, piece in enumerate(pieces) if piece.kind != UNUSED}
    if len(vocab) != sum(piece.kind != UNUSED for piece in pieces):
        raise FormatError(f"[pack] tokenizer: expected no piece twice ({where})")
    wrong = next((piece for piece in pieces if not math.isfinite(piece.score)), None)
    if wrong is not None:
        raise FormatError(
            f"[pack] tokenizer: expected scores that are numbers, got {wrong.score} for "
            f"{wrong.text!r:.80} ({where})"
        )
    n_bytes = sum(piece.kind == BYTE for piece in pieces)
    if n_bytes not in (0, 256):
        raise FormatError(f"[pack] tokenizer: expected 256 bytes or none, got {n_bytes} ({where})")
    unknown = next((piece.text for piece in pieces if piece.kind == UNKNOWN), None)
    model: dict[str, object]
    if unigram:
        # An unused piece keeps its id, under a name that no text has.
        named = [
            [f"<unused {index}>" if piece.kind == UNUSED else piece.text, piece.score]
            for index, piece in enumerate(pieces)
        ]
        model = {
            "type": "Unigram",
            "unk_id": None if unknown is None else vocab[unknown],
            "vocab": named,
            "byte_fallback": n_bytes > 0,
        }
    else:
        model = {
            "type": "BPE",
            "dropout": None,
            "unk_token": unknown,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": n_bytes > 0,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": _merges(pieces, vocab) if merges is None else merges,
        }
    prefix = [{"type": "Prepend", "prepend": SPACE}] if space_prefix else []
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if space_prefix else []
    back = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": vocab[piece.text],
                "content": piece.text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": piece.kind != USER_DEFINED,
            }
            for piece in pieces
            if piece.kind in (UNKNOWN, CONTROL, USER_DEFINED)
        ],
        "normalizer": {"type": "Sequence", "normalizers": [*prefix, spaces]},
        "pre_tokenizer": None if merges is None else _LINES,
        "post_processor": post_processor or None,
        "decoder": {
            "type": "Sequence",
            "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip],
        },
        "model": model,
    }


def _merges(pieces: Sequence[Piece], vocab: Mapping[str, int]) -> list[list[str]]:
    """Every way to make a piece of two, the best score first.

    Of one score the longest first half is first.
    """
    mergeable = (NORMAL, USER_DEFINED)
    parts = {piece.text for piece in pieces if piece.kind in mergeable}
    ways: list[tuple[float, int, int, str, str]] = []
    for piece in pieces:
        if piece.kind not in mergeable:
            continue
        text = piece.text
        local = [
            (text[:at], text[at:])
            for at in range(1, len(text))
            if text[:at] in parts and text[at:] in parts
        ]
        local.sort(key=lambda way: (vocab[way[0]], vocab[way[1]]))
        ways += [(piece.score, len(left), len(right), left, right) for left, right in local]
    ways.sort(key=lambda way: way[:3], reverse=True)
    return [[left, right] for *_, left, right in ways]


@dataclass(frozen=True)
class Model:
    """What a tokenizer.model says."""

    pieces: tuple[Piece, ...]
    unigram: bool
    space_prefix: bool
    bos: int | None
    eos: int | None


def read_model(path: Path) -> Model:
    """Reads a tokenizer.model, which is a protocol buffer.

    Raises:
        FormatError: It is cut short, of words or characters, or normalizes texts in a way that is
            not known.
        IoError: It cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OSError(f"[pack] tokenizer: {error.strerror} ({path})") from error
    pieces: list[Piece] = []
    trainer: dict[int, object] = {}
    normalizer: dict[int, object] = {}
    for number, value in _fields(data, path):
        if number == _PIECES and isinstance(value, bytes):
            piece = dict(_fields(value, path))
            pieces.append(Piece(_text(piece.get(1), path), _float(piece.get(2)), _int(piece, 3, 1)))
        elif number == _TRAINER and isinstance(value, bytes):
            trainer = dict(_fields(value, path))
        elif number == _NORMALIZER and isinstance(value, bytes):
            normalizer = dict(_fields(value, path))
    kind = _int(trainer, 3, _UNIGRAM)
    if kind not in (_UNIGRAM, _BPE) or not pieces:
        raise FormatError(
            f"[pack] tokenizer: expected a SentencePiece model of type unigram or BPE, got type "
            f"{kind} with {len(pieces)} pieces ({path})"
        )
    if normalizer.get(2):
        name = _text(normalizer.get(1, b""), path)
        raise FormatError(
            f"[pack] tokenizer: expected the normalizer identity, got {name!r} ({path}). Its table "
            f"of characters is not read; a tokenizer.json beside the file may run."
        )
    if _int(normalizer, 4, 1):
        raise FormatError(
            f"[pack] tokenizer: remove_extra_whitespaces is not supported, expected false ({path})"
        )

    def of(field: int, absent: int) -> int | None:
        value = _int(trainer, field, absent)
        return value if 0 <= value < len(pieces) else None

    return Model(
        tuple(pieces), kind == _UNIGRAM, bool(_int(normalizer, 3, 1)), of(41, 1), of(42, 2)
    )


def sentencepiece_json(
    folder: Path,
    *,
    adds_bos: bool,
    post_processor: Callable[[Mapping[str, tuple[str, int]]], dict[str, object]],
) -> dict[str, object]:
    """The tokenizer.json of a folder that has a tokenizer.model alone.

    Args:
        folder: Holds it, and maybe tokenizer_config.json, which says what stands around a text.
        adds_bos: Whether a text begins with BOS where tokenizer_config.json does not say it.
        post_processor: Makes the step that puts tokens around a text.

    Raises:
        FormatError: See `read_model`.
    """
    model = read_model(folder / MODEL)
    config: Mapping[str, object] = {}
    if (folder / "tokenizer_config.json").is_file():
        config = read_object(folder / "tokenizer_config.json")
    around: dict[str, tuple[str, int]] = {}
    wanted = (("bos", model.bos, adds_bos), ("eos", model.eos, False))
    for name, token, absent in wanted:
        if config.get(f"add_{name}_token", absent) and token is not None:
            around[name] = model.pieces[token].text, token
    return document(
        model.pieces,
        unigram=model.unigram,
        space_prefix=model.space_prefix,
        post_processor=post_processor(around) if around else {},
        where=str(folder / MODEL),
    )


def _fields(data: bytes, path: Path) -> Iterator[tuple[int, object]]:
    """Number and value of each field: int, bytes, or four or eight bytes as they are."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while at < len(data) and shift < 70:  # noqa: PLR2004
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:  # noqa: PLR2004
                return value - (1 << 64) if value >> 63 else value
        raise FormatError(f"[pack] tokenizer: expected a whole {MODEL}, got one cut short ({path})")

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        length = {1: 8, 2: -1, 5: 4}.get(kind)
        if length is None:
            raise FormatError(f"[pack] tokenizer: expected a {MODEL}, got another file ({path})")
        length = varint() if length < 0 else length
        if length < 0 or at + length > len(data):
            raise FormatError(
                f"[pack] tokenizer: expected a whole {MODEL}, got one cut short ({path})"
            )
        yield key >> 3, data[at : at + length]
        at += length


def _text(value: object, path: Path) -> str:
    try:
        return value.decode() if isinstance(value, bytes) else ""
    except UnicodeDecodeError as error:
        raise FormatError(f"[pack] tokenizer: expected pieces in UTF-8 ({path})") from error


def _float(value: object) -> float:
    size = 4
    if not isinstance(value, bytes) or len(value) != size:
        return 0.0
    return float(struct.unpack("<f", value)[0])


def _int(fields: Mapping[int, object], number: int, absent: int) -> int:
    value = fields.get(number, absent)
    return value if isinstance(value, int) else absent

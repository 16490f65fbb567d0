# SPDX-License-Identifier: Apache-2.0
"""_text.py: the windows of a text that a predictor learns from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flashlm._core import FormatError, ShapeError, Tokenizer
from flashlm._engine.files import io_error

LONGEST_WINDOW = 512
SHORTEST_WINDOW = 16
_PARTS = 10  # one of ten windows sets the thresholds, one of ten is measured
FEWEST_TOKENS = 2 * _PARTS * SHORTEST_WINDOW


@dataclass(frozen=True)
class Windows:
    """Token ids by what they are for. No window is in two parts."""

    train: list[list[int]]
    calibrate: list[list[int]]
    measure: list[list[int]]

    @property
    def length(self) -> int:
        """Tokens of a window."""
        return len(self.train[0])


def read_texts(files: Sequence[str | os.PathLike[str]]) -> str:
    """The texts of all files, in a row.

    Raises:
        IoError: A file cannot be read.
        FormatError: A file is not UTF-8 text, or nothing but spaces is in it.
    """
    texts = []
    for file in files:
        path = Path(file).expanduser()
        try:
            data = path.read_bytes()
        except OSError as error:
            raise io_error("read", error, path, where="train") from error
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FormatError(
                f"[train] text: expected UTF-8, got byte 0x{data[error.start]:02x} at offset "
                f"{error.start} ({path})."
            ) from None
        if "\0" in text:
            raise FormatError(
                f"[train] text: expected text, got a zero byte at {text.index(chr(0))} ({path})."
            )
        if not text.strip():
            raise FormatError(
                f"[train] text: expected text, got {len(data)} bytes of white space ({path})."
            )
        texts.append(text)
    return "\n\n".join(texts)


def cut(tokenizer: Tokenizer, text: str, n_tokens: int, context: int) -> Windows:
    """Windows of equal length, spread evenly over the text.

    Of every ten, one calibrates and one is measured.

    Args:
        tokenizer: The model's.
        text: All of it.
        n_tokens: How many tokens to take at most.
        context: How long a window may be.

    Raises:
        ShapeError: The text is too short to learn anything from.
    """
    ids = tokenizer.encode(text)
    if len(ids) < FEWEST_TOKENS:
        raise ShapeError(
            f"[train] text: expected at least {FEWEST_TOKENS} tokens, got {len(ids)}. Thousands "
            f"are better."
        )
    wanted = min(len(ids), n_tokens)
    length = min(context, LONGEST_WINDOW, max(SHORTEST_WINDOW, wanted // (4 * _PARTS)))
    n_windows = wanted // length
    starts = [index * (len(ids) - length) // max(n_windows - 1, 1) for index in range(n_windows)]
    windows = [ids[start : start + length] for start in starts]
    return Windows(
        train=[window for index, window in enumerate(windows) if index % _PARTS < _PARTS - 2],
        calibrate=windows[_PARTS - 2 :: _PARTS],
        measure=windows[_PARTS - 1 :: _PARTS],
    )

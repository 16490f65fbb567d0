# SPDX-License-Identifier: Apache-2.0
"""marked.py: a text that knows which of its characters a template wrote.

The others came from somebody's words.

A template may look into a content, cut it, and put it together again; so each character carries its
mark through all of that. Where an operation is not one of those below, its result counts as
somebody's words: what is lost is then a control token, and never the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, SupportsIndex

OURS, THEIRS = "1", "0"  # the template's, and anybody else's
_DIRECTIVE = re.compile(r"(%(?:\([^)]*\))?[-#0 +]*[0-9]*(?:\.[0-9]+)?[a-zA-Z%])")


class Marked(str):
    """A text, and a mark for each character of it."""

    __slots__ = ("_marks",)
    _marks: str

    def __new__(cls, text: str, marks: str | None = None) -> Marked:  # noqa: PYI034 - no subclass of it exists
        made = super().__new__(cls, text)
        made._marks = THEIRS * len(text) if marks is None else marks
        return made

    def __str__(self) -> str:
        return self

    def __add__(self, other: Any) -> Any:
        return joined([self, other]) if _is_plain(other) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return joined([other, self]) if _is_plain(other) else NotImplemented

    def __mul__(self, times: SupportsIndex) -> Any:
        return Marked(super().__mul__(times), marks_of(self) * times)

    __rmul__ = __mul__

    def __mod__(self, values: Any) -> Any:
        return _percent(self, values)

    def __getitem__(self, key: Any) -> Marked:
        return Marked(super().__getitem__(key), marks_of(self)[key])

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def strip(self, chars: str | None = None, /) -> Any:
        return self.lstrip(chars).rstrip(chars)

    def lstrip(self, chars: str | None = None, /) -> Any:
        return self[len(self) - len(super().lstrip(chars)) :]

    def rstrip(self, chars: str | None = None, /) -> Any:
        return self[: len(super().rstrip(chars))]

    def removeprefix(self, prefix: str, /) -> Any:
        return self[len(self) - len(super().removeprefix(prefix)) :]

    def removesuffix(self, suffix: str, /) -> Any:
        return self[: len(super().removesuffix(suffix))]

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> Any:
        return self._pieces(super().split(sep, maxsplit), sep)

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> Any:
        return self._pieces(super().rsplit(sep, maxsplit), sep)

    def splitlines(self, keepends: bool = False) -> Any:
        whole = self._pieces(super().splitlines(keepends=True), "")
        texts = super().splitlines(keepends)
        return [line[: len(text)] for line, text in zip(whole, texts, strict=True)]

    def partition(self, sep: str, /) -> Any:
        return tuple(self._pieces(list(super().partition(sep)), ""))

    def rpartition(self, sep: str, /) -> Any:
        return tuple(self._pieces(list(super().rpartition(sep)), ""))

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> Any:
        if not old or not isinstance(new, str):
            return Marked(super().replace(old, new, count))
        return marked(new).join(self.split(old, count))

    def join(self, texts: Iterable[str], /) -> Any:
        pieces = list(texts)
        if not all(isinstance(piece, str) for piece in pieces):
            return super().join(pieces)  # raises
        return joined([part for piece in pieces for part in (self, piece)][1:])

    def upper(self) -> Any:
        return self._same_length(super().upper())

    def lower(self) -> Any:
        return self._same_length(super().lower())

    def capitalize(self) -> Any:
        return self._same_length(super().capitalize())

    def title(self) -> Any:
        return self._same_length(super().title())

    def _same_length(self, text: str) -> Marked:
        return Marked(text, marks_of(self) if len(text) == len(self) else None)

    def _pieces(self, texts: list[str], sep: str | None) -> list[Any]:
        """Pieces of this text, in order.

        Between two of them stands `sep`, or blanks where that is None.
        """
        pieces: list[Any] = []
        at = 0
        for text in texts:
            if sep is None:
                at = self.index(
                    text, at
                )  # what is passed over are blanks, and no piece begins with one but the first
            pieces.append(self[at : at + len(text)])
            at += len(text) + len(sep or "")
        return pieces


def marks_of(text: str) -> str:
    """The mark of each character."""
    return text._marks if isinstance(text, Marked) else THEIRS * len(text)  # noqa: SLF001 - not for templates


def marked(text: str) -> Marked:
    """The text itself, or a plain one as somebody's words."""
    return text if isinstance(text, Marked) else Marked(text)


def joined(pieces: Iterable[str]) -> Marked:
    """The pieces as one text, each with its marks."""
    pieces = list(pieces)
    return Marked("".join(map(str.__str__, pieces)), "".join(map(marks_of, pieces)))


def ours(value: Any) -> Any:
    """Plain data whose texts are the template's own."""
    return _mapped(value, lambda text: Marked(text, OURS * len(text)))


def theirs(value: Any) -> Any:
    """Plain data whose texts are somebody's words."""
    return _mapped(value, Marked)


def formatted(
    template: Marked, text: str, pieces: Iterable[str | None], values: Iterable[str]
) -> Marked:
    """What ``format`` or ``%`` wrote, with marks where that is clear.

    Args:
        template: What was filled in.
        text: The result.
        pieces: The template's own pieces in order, None for each value between them.
        values: What was written for each None.
    """
    mark = OURS if OURS in marks_of(template) and THEIRS not in marks_of(template) else THEIRS
    rest = iter(values)
    parts = [
        next(rest, "") if piece is None else Marked(piece, mark * len(piece)) for piece in pieces
    ]
    whole = joined(parts)
    return whole if str.__eq__(whole, text) else Marked(text)


def _percent(template: Marked, values: Any) -> Marked:
    text = str.__mod__(template, values)
    pieces: list[str | None] = []
    written: list[str] = []
    rest = iter(values if isinstance(values, tuple) else (values,))
    for index, piece in enumerate(_DIRECTIVE.split(str.__str__(template))):
        if index % 2 == 0 or piece == "%%":
            pieces.append("%" if index % 2 else piece)
            continue
        named = isinstance(values, Mapping) and piece.startswith("%(")
        value = values if named else next(rest, "")
        if named and piece.endswith(")s"):
            value, piece = values[piece[2:-2]], "%s"  # noqa: PLW2901 - the same directive without the name
        pieces.append(None)
        if piece == "%s" and isinstance(value, Marked):
            written.append(value)
        else:
            written.append(str.__mod__(piece, value if isinstance(value, Mapping) else (value,)))
    return formatted(template, text, pieces, written)


def _is_plain(value: Any) -> bool:
    """Whether adding it is adding texts: markup has an addition of its own."""
    return isinstance(value, str) and not hasattr(value, "__html__")


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    if isinstance(value, tuple):
        return tuple(_mapped(item, change) for item in value)
    if isinstance(value, dict):
        return {_mapped(key, change): _mapped(item, change) for key, item in value.items()}
    return value

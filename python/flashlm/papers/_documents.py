# SPDX-License-Identifier: Apache-2.0
"""_documents.py: PDFs and Markdown files, read page by page."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flashlm._core import ArgumentError, FormatError
from flashlm._engine.checked_calls import checked
from flashlm._engine.files import io_error
from flashlm.papers import pdf

Progress = Callable[[str, int, int], None]
"""Told how far a job is: the stage, and how much of how much is done."""

_PART = 4000  # characters of a part of a text that has no pages


@dataclass(frozen=True)
class Page:
    """A page of a document.

    Attributes:
        number: From 1.
        text: Lines, with an empty one between paragraphs.
    """

    number: int
    text: str


@dataclass(frozen=True)
class Document:
    """What was read of a file.

    Attributes:
        path: The file.
        kind: ``"pdf"``, or ``"markdown"``, whose "pages" are parts of some 4,000 characters.
        n_pages: How many there are; ``pages`` may be some of them.
        pages: What was read.
        note: Why it is the hub's Markdown although PDFs can be read here; else nothing.
    """

    path: Path
    kind: str
    n_pages: int
    pages: tuple[Page, ...]
    note: str = ""

    @property
    def unit(self) -> str:
        """What its pages are to be called: "page", or "part" where there are none.

        Example:
            >>> from flashlm.papers import Document
            >>> Document(Path("a.pdf"), "pdf", 0, ()).unit
            'page'
        """
        return "page" if self.kind == "pdf" else "part"


@checked("papers")
def read_file(
    path: str | os.PathLike[str],
    first_page: int = 1,
    last_page: int | None = None,
    *,
    progress: Progress | None = None,
) -> Document:
    """The pages of a PDF, or the parts of a Markdown file.

    Args:
        path: The file.
        first_page: From 1.
        last_page: The last page there is if it is None or beyond it.
        progress: Told about the stage ``"read"``.

    Returns:
        The pages.

    Raises:
        ArgumentError: There is no such page.
        IoError: The file cannot be read.
        FormatError: It is no PDF, or it is encrypted, too damaged, or scanned.
        Error: It is too large, or PDFs cannot be read here; the text says what brings that.

    Example:
        >>> from flashlm import papers
        >>> Path("note.md").write_text("# Title")
        7
        >>> papers.read_file("note.md").pages
        (Page(number=1, text='# Title'),)
    """
    file = Path(path)
    if first_page < 1:
        raise ArgumentError(f"[papers] first_page: expected at least 1, got {first_page}.")
    if last_page is not None and last_page < first_page:
        raise ArgumentError(f"[papers] last_page: expected at least {first_page}, got {last_page}.")
    if file.suffix == ".md":
        return _read_markdown(file, first_page, last_page)
    return _read_pdf(file, first_page, last_page, progress)


def _read_pdf(
    file: Path, first_page: int, last_page: int | None, progress: Progress | None
) -> Document:
    told = None if progress is None else lambda done, total: progress("read", done, total)
    content = pdf.read_pdf(file, first_page=first_page, last_page=last_page, progress=told)
    pages = tuple(Page(page.number, page.text) for page in content.pages)
    return Document(file, "pdf", content.info.n_pages, pages)


def _read_markdown(file: Path, first_part: int, last_part: int | None) -> Document:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise io_error("read", error, file) from error
    parts = _parts(text)
    if not parts:
        raise FormatError(f"[papers] text: expected some, got none ({file}).")
    if first_part > len(parts):
        raise ArgumentError(
            f"[papers] first_page: expected at most {len(parts)}, got {first_part} ({file})."
        )
    chosen = parts[first_part - 1 : last_part]
    pages = tuple(Page(number, part) for number, part in enumerate(chosen, first_part))
    return Document(file, "markdown", len(parts), pages)


def _parts(text: str) -> list[str]:
    """The text in parts of some size.

    Whole paragraphs where they are short enough, a new one for each heading.
    """
    parts: list[str] = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        block = block.strip("\n")  # noqa: PLW2901
        if not block.strip():
            continue
        fits = parts and len(parts[-1]) + len(block) <= _PART
        if fits and not (block.startswith("#") and len(parts[-1]) > _PART // 2):
            parts[-1] += "\n\n" + block
        else:
            parts.extend(block[at : at + _PART] for at in range(0, len(block), _PART))
    return parts

# SPDX-License-Identifier: Apache-2.0
"""papers: the hub's daily papers: found, downloaded, and read page by page.

from flashlm import papers

for paper in papers.find("LLM", top=3):
    print(paper.title, paper.url)
    document = papers.read(paper.id)
    print(document.kind, len(document.pages))
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from flashlm._core import ArgumentError, Error, IoError
from flashlm._engine import checks
from flashlm._engine.checked_calls import checked
from flashlm.papers import net, pdf
from flashlm.papers._documents import Document, Page, Progress, read_file
from flashlm.papers.net import Paper, Papers

__all__ = [
    "Document",
    "Page",
    "Paper",
    "Papers",
    "download",
    "find",
    "find_ids",
    "paper_id",
    "read",
    "read_file",
    "read_text",
]


DAYS = 7  # lists of so many days are looked at until there are enough papers
_ALL = 1 << 20  # more papers than any list has
_PDF_COMMANDS = (
    "apt-get install libpoppler-cpp-dev libcurl4-openssl-dev",
    "pip install --force-reinstall --no-binary flashlm flashlm",
)


@checked("papers")
def find(
    topic: str = "",
    top: int = 3,
    *,
    date: str | None = None,
    week: str | None = None,
    month: str | None = None,
    by: str = "votes",
    days: int | None = None,
    source: str = "daily",
    papers: Papers | None = None,
    progress: Progress | None = None,
) -> list[Paper]:
    """The top daily papers about a topic.

    Papers that have it in their title or keywords come before those that only mention it in their
    summary; within each group the most voted come first. A later day comes before an earlier one.

    Args:
        topic: Words that title, keywords and summary must have; commas separate choices. Nothing:
            all papers.
        top: At most so many.
        date: The list of a day, ``"2025-02-28"``.
        week: Of a week, ``"2025-W09"``.
        month: Of a month, ``"2025-02"``. Without date, week and month: the newest list.
        by: ``"votes"`` or ``"trend"``.
        days: So many days are looked at until there are enough papers; by default seven from the
            newest list, and one where a date is given.
        source: ``"daily"``, or ``"search"``: what the hub finds among all papers.
        papers: Where to ask; by default as the environment says.
        progress: Told about the stage ``"find"``.

    Returns:
        The papers; fewer, or none, if there are no more.

    Raises:
        ArgumentError: A value lies outside its range.
        IoError: The network fails, or offline the cache does not have it.
        FormatError: The hub's answer is none that is known.

    Example:
        >>> from flashlm import papers
        >>> papers.find("LLM", top=0)
        Traceback (most recent call last):
        flashlm.ArgumentError: [papers] top: expected at least 1, got 0.
    """
    if top < 1:
        raise ArgumentError(f"[papers] top: expected at least 1, got {top}.")
    checks.choice(source, "source", ("daily", "search"), where="papers")
    papers = papers or Papers()
    _tell(progress, "find", 0, 1)
    if source == "search":
        found = papers.search(topic, limit=top, progress=_counted(progress, "find"))
    else:
        if days is None:
            days = DAYS if topic and not (date or week or month) else 1
        found = papers.daily(
            topic=topic,
            top=top,
            date=date,
            week=week,
            month=month,
            order=by,
            days=days,
            progress=_counted(progress, "find"),
        )
    _tell(progress, "find", 1, 1)
    return found


@checked("papers")
def is_network_failure(error: IoError) -> bool:
    """Whether an error is of the network or of a server, and not of the question.

    Such an error may be gone the next time.

    Example:
        >>> from flashlm import IoError, papers
        >>> try:
        ...     papers.Papers(hub="http://127.0.0.1:9", offline=True).daily()
        ... except IoError as error:
        ...     papers.is_network_failure(error)
        True
    """
    status = getattr(error, "status", None)
    return status is None or status in (408, 429) or status >= 500  # noqa: PLR2004 - as HTTP counts


@checked("papers")
def newest_day(papers: Papers, **query: Any) -> str:
    """The newest day that a list in the cache has papers of.

    Arguments and errors are those of `find`.

    Example:
        >>> from flashlm import papers
        >>> papers.newest_day(papers.Papers(offline=True, cache="nothing"))
        Traceback (most recent call last):
        flashlm.IoError: [papers] offline (HF_HUB_OFFLINE), and not in the cache: ...
    """
    return max(
        (paper.daily for paper in find(top=_ALL, papers=papers, days=1, **query)),
        default="an unknown day",
    )


@checked("papers")
def find_ids(topic: str, num_papers: int = 1) -> list[str]:
    """The ids of the top daily papers about a topic, in the order of `find`. What agents call.

    Args:
        topic: As for `find`.
        num_papers: At most so many.

    Returns:
        One id or more.

    Raises:
        Error: There are none, and what `find` raises.

    Example:
        >>> from flashlm import papers
        >>> papers.find_ids("LLM", 0)
        Traceback (most recent call last):
        flashlm.ArgumentError: [papers] top: expected at least 1, got 0.
    """
    found = find(topic, num_papers)
    if not found:
        raise Error(
            f"[papers] topic: expected daily papers about {topic!r} in the last {DAYS} days, found "
            f"none. "
            "Try other words, or fewer."
        )
    return [paper.id for paper in found]


@checked("papers")
def download(
    paper_id: str,
    *,
    refresh: bool = False,
    papers: Papers | None = None,
    progress: Progress | None = None,
) -> Path:
    """The file of a paper: its PDF, or its Markdown from the hub.

    The latter where the PDF does not come or cannot be read here.

    Args:
        paper_id: arXiv's, such as ``"2312.11514"`` or ``"2312.11514v2"``, or the address of the
            paper's page.
        refresh: Asks for the newest version although one is in the cache.
        papers: Where to ask; by default as the environment says.
        progress: Told about the stage ``"download"``.

    Returns:
        A file in the cache, to be left as it is; its name ends in ``.pdf`` or ``.md``.

    Raises:
        ArgumentError: It is no id.
        IoError: The network fails, the paper is not there, or offline it is not in the cache.
        FormatError: What came is no paper.
        Error: PDFs cannot be read, and there is no Markdown.

    Example:
        >>> from flashlm import papers
        >>> papers.download("../../x")
        Traceback (most recent call last):
        flashlm.ArgumentError: [papers] id: expected an arXiv id such as 2312.11514, ...
    """
    return _download(
        net.paper_id(paper_id), papers or Papers(), refresh=refresh, progress=progress
    )[0]


@checked("papers")
def read(
    paper_id: str,
    *,
    refresh: bool = False,
    papers: Papers | None = None,
    progress: Progress | None = None,
) -> Document:
    """A paper with all its pages; arguments and errors are those of `download` and `read_file`.

    Where its PDF does not come or cannot be read, its Markdown is, if the hub has it;
    `Document.note` says why.

    Example:
        >>> from flashlm import papers
        >>> papers.read("no id")
        Traceback (most recent call last):
        flashlm.ArgumentError: [papers] id: expected an arXiv id such as 2312.11514, ...
    """
    paper_id = net.paper_id(paper_id)
    papers = papers or Papers()
    path, note = _download(paper_id, papers, refresh=refresh, progress=progress)
    try:
        return replace(read_file(path, progress=progress), note=note)
    except Error as error:  # encrypted, scanned, damaged or too large: perhaps the hub has the text
        if path.suffix == ".md":
            raise
        path = _markdown_instead(error, paper_id, papers, refresh=refresh, progress=progress)
        return replace(read_file(path, progress=progress), note=f"its PDF cannot be read: {error}")


def _download(
    paper_id: str, papers: Papers, *, refresh: bool, progress: Progress | None
) -> tuple[Path, str]:
    """The file of `download`, and why it is not the PDF, where that could be read."""
    counted = _counted(progress, "download")
    note = ""
    _tell(progress, "download", 0, 1)
    if pdf.available():
        try:
            path = papers.pdf(paper_id, refresh=refresh, progress=counted)
        # Refused, no PDF, cut short, too large, too slow, or offline and not in the cache
        except Error as error:
            path = _markdown_instead(error, paper_id, papers, refresh=refresh, progress=progress)
            note = f"its PDF did not come: {error}"
    elif papers.markdown(paper_id, refresh=refresh, progress=counted) is not None:
        path = _markdown_path(papers, paper_id)
    else:
        raise Error(
            f"[papers] {paper_id}: the hub has no Markdown of it, and this flashlm was built "
            f"without poppler, so it "
            "reads no PDF. These two commands bring that: " + " && ".join(_PDF_COMMANDS)
        )
    _tell(progress, "download", 1, 1)
    return path, note


def _markdown_instead(
    error: Error, paper_id: str, papers: Papers, *, refresh: bool, progress: Progress | None
) -> Path:
    """The Markdown of a paper whose PDF failed with `error`, which is raised if there is none."""
    try:
        found = papers.markdown(paper_id, refresh=refresh, progress=_counted(progress, "download"))
    except Error as other:
        error.args = (f"{error} Its Markdown did not come either: {other}",)
        raise error from other
    if found is None:
        error.args = (f"{error} The hub has no Markdown of it.",)
        raise error
    return _markdown_path(papers, paper_id)


@checked("papers")
def read_text(
    file_path: str | os.PathLike[str],
    first_page: int = 1,
    last_page: int | None = None,
    max_characters: int = 0,
) -> str:
    """The same as one text, in which each page begins with a line about its number.

    What agents call.

    Where it is a PDF that `download` brought and it cannot be read, its Markdown is, if the hub has
    it; the first line says so.

    Args:
        file_path: As for `read_file`.
        first_page: As for `read_file`.
        last_page: As for `read_file`.
        max_characters: Ends with the last page that is not longer in all, or in the middle of the
            first; the last line says how to go on. 0: no limit.

    Returns:
        The text.

    Raises:
        Error: As `read_file`.

    Example:
        >>> from flashlm import papers
        >>> Path("note.md").write_text("# Title")
        7
        >>> print(papers.read_text("note.md"))
        [part 1 of 1]
        # Title
    """
    document = _read_download(Path(file_path), first_page, last_page)
    blocks: list[str] = (
        [f"[{document.note}]\n[what follows is the hub's Markdown]"] if document.note else []
    )
    n_notes = len(blocks)
    room = max_characters
    for page in document.pages:
        block = f"[{document.unit} {page.number} of {document.n_pages}]\n{page.text.strip()}"
        if max_characters and len(block) > room:
            if len(blocks) == n_notes:
                blocks.append(
                    f"{block[:max_characters]}\n[the rest of {document.unit} {page.number} is left "
                    f"out]"
                )
            else:
                blocks.append(
                    f"[{document.unit}s {page.number} to {document.pages[-1].number} are left out; "
                    f"read them with "
                    f"first_page={page.number}]"
                )
            break
        room -= len(block)
        blocks.append(block)
    return "\n\n".join(blocks)


def paper_id(text: str) -> str:
    """The arXiv id in what people write for a paper.

    That is an id, quoted or not, a DOI, or the address of its page.

    Raises:
        ArgumentError: There is none, or one that arXiv cannot have given.

    Example:
        >>> from flashlm import papers
        >>> papers.paper_id("https://arxiv.org/abs/2312.11514v2?context=cs.LG")
        '2312.11514v2'
    """
    return net.paper_id(text)


def _read_download(file: Path, first_page: int, last_page: int | None) -> Document:
    """`read_file`, with the fallback of `read` for files that `download` put into the cache."""
    try:
        return read_file(file, first_page, last_page)
    except ArgumentError:
        raise
    except Error as error:
        if file.suffix == ".md" or not net.available():
            raise
        papers = Papers()
        if file.resolve().parent != (papers.cache / "pdf").resolve():
            raise
        name = net.paper_id(file.stem.replace("_", "/"))
        path = _markdown_instead(error, name, papers, refresh=False, progress=None)
        return replace(
            read_file(path, first_page, last_page), note=f"the PDF cannot be read: {error}"
        )


def _markdown_path(papers: Papers, paper_id: str) -> Path:
    """Where the cache keeps the Markdown of a paper; the hub has no versions of it."""
    base = re.sub(r"v[0-9]+$", "", paper_id)
    return papers.cache / "text" / (base.replace("/", "_") + ".md")


def _tell(progress: Progress | None, stage: str, done: int, total: int) -> None:
    if progress is not None:
        progress(stage, done, total)


def _counted(progress: Progress | None, stage: str) -> Callable[[int, int, float], object] | None:
    """Bytes as they come, for a callback that knows stages."""
    if progress is None:
        return None

    def count(done: int, total: int, waiting: float) -> None:
        progress("wait for the server" if waiting else stage, done, max(total, done))

    return count

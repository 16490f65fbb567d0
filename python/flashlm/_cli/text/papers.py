# SPDX-License-Identifier: Apache-2.0
"""papers.py: ``flashlm papers``: the top daily papers of a topic, each read and summarized."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import typer

from flashlm import ArgumentError, Error, IoError, LanguageModel, papers
from flashlm._cli.terminal import options, screen
from flashlm.papers import Paper
from flashlm.papers.summaries import Summary, summarize

NAME = "papers"
EXAMPLES = options.examples(
    'flashlm papers --topic "LLM" --top 3',
    "flashlm papers --topic speech --top 1 --week 2026-W47 --output markdown --model model.flash",
    'flashlm papers --topic "LLM" --top 1 --json --offline',
)


class By(str, Enum):
    """What makes a paper a top one."""

    votes = "votes"
    trend = "trend"


class Output(str, Enum):
    """How the summaries are written."""

    text = "text"
    markdown = "markdown"
    json = "json"


@dataclass(frozen=True)
class Report:
    """One paper: its summary, or why there is none."""

    paper: Paper
    topic: str
    summary: Summary | None
    source: str = ""
    note: str = ""
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        facts = {
            key: getattr(self.paper, key) for key in ("id", "title", "url", "upvotes", "daily")
        }
        facts["topic"] = self.topic
        if self.summary is None:
            return {**facts, "error": self.error}
        return {
            **facts,
            "summary": self.summary.text,
            "source": self.source,
            "note": self.note,
            "pages": list(self.summary.pages),
            "empty_pages": list(self.summary.empty_pages),
        }

    @property
    def ending(self) -> str:
        """What the summary was made of, or why there is none."""
        if self.summary is None:
            return f"Not summarized: {self.error}"
        made = f"Made of {self.summary.pages_text}"
        if self.source == "pdf":
            return f"{made}."
        return (
            f"{made} ({self.source}, since {self.note})."
            if self.note
            else f"{made} ({self.source})."
        )

    def markdown(self) -> str:
        """For people who keep it."""
        body = "" if self.summary is None else f"{self.summary.text}\n\n"
        facts = _facts(self.paper, self.topic)
        return (
            f"## [{self.paper.title}]({self.paper.url})\n\n*{facts}*\n\n{body}*{self.ending}*\n\n"
        )


def _facts(paper: Paper, topic: str) -> str:
    return f"{paper.upvotes} votes, topic {topic}" if topic else f"{paper.upvotes} votes"


def main(
    *,
    topic: Annotated[
        str,
        typer.Option(
            "--topic", metavar="TEXT", help="What the papers are about; commas separate choices."
        ),
    ] = "",
    top: Annotated[int, typer.Option("--top", metavar="N", help="How many papers at most.")] = 3,
    date: Annotated[
        str | None, typer.Option("--date", metavar="DAY", help="The list of a day: 2026-11-20.")
    ] = None,
    week: Annotated[
        str | None, typer.Option("--week", metavar="WEEK", help="Of a week: 2026-W47.")
    ] = None,
    month: Annotated[
        str | None, typer.Option("--month", metavar="MONTH", help="Of a month: 2026-11.")
    ] = None,
    by: Annotated[By, typer.Option("--by", help="What makes a paper a top one.")] = By.votes,
    output: Annotated[
        Output | None,
        typer.Option("--output", "-o", help="How the summaries are written; by default as text."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Takes everything from the cache.")
    ] = False,
    model: options.Model = None,
    memory: options.Memory = "auto",
    context: options.FullContext = None,
    threads: options.Threads = None,
    max_new_tokens: options.MaxNewTokens = 256,
    kv_store: options.KvStore = True,
    json: options.Json = False,
) -> None:
    """Finds the top daily papers of a topic, reads every page, and summarizes each."""
    if json and output not in (None, Output.json):
        raise ArgumentError(
            f"[papers] output: expected json or nothing with --json, got {output.value!r}."
        )
    written = Output.json if json else output or Output.text
    with screen.progress_bar() as progress:
        source, found = _find(
            papers.Papers(offline=True if offline else None),
            progress,
            topic=topic,
            top=top,
            date=date,
            week=week,
            month=month,
            by=by.value,
        )
        if not found:
            raise Error(
                f"[papers] topic: expected daily papers{f' about {topic!r}' if topic else ''}, "
                f"found none. "
                "Try other words, or another date, week or month."
            )
        lm = options.open_model(
            model,
            memory=memory,
            context=context,
            threads=threads,
            kv_store=kv_store,
            progress=progress,
        )
    reports = []
    with lm:
        for number, paper in enumerate(found, 1):
            if len(found) > 1:
                screen.tell(f"Paper {number} of {len(found)}: {paper.id}")
            text = _Shown(paper, topic) if written is Output.text else None
            reports.append(_report(lm, paper, topic, source, max_new_tokens, text))
            if text is not None:
                text.end(reports[-1])
            elif written is Output.markdown:
                screen.write(reports[-1].markdown())
    if written is Output.json:
        screen.print_json({"topic": topic, "papers": [report.to_dict() for report in reports]})
    if any(report.summary is None for report in reports):
        raise typer.Exit(1)


class _Shown:
    """A paper on the screen: its title and address at once, its summary as it is written."""

    def __init__(self, paper: Paper, topic: str) -> None:
        wrap = (
            not screen.out.is_terminal
        )  # a terminal shows whole words; a file or a pipe gets whole paragraphs
        screen.out.print(screen.plain(paper.title), markup=False, style="bold", soft_wrap=wrap)
        for line in (paper.url, _facts(paper, topic), ""):
            screen.out.print(line, markup=False, soft_wrap=wrap)
        self._words = screen.WordWriter()

    def write(self, piece: str) -> None:
        """A piece of the summary."""
        self._words.write(piece)

    def end(self, report: Report) -> None:
        """The last lines."""
        if self._words.end():
            screen.out.print()
        wrap = not screen.out.is_terminal
        screen.out.print(screen.plain(report.ending), markup=False, style="dim", soft_wrap=wrap)
        screen.out.print()


def _find(
    source: papers.Papers, progress: screen.ProgressBar, **query: Any
) -> tuple[papers.Papers, list[Paper]]:
    """The papers, and where to read them: in the cache if the network fails and they are there."""
    try:
        return source, papers.find(papers=source, progress=progress, **query)
    except IoError as error:
        if source.offline or not papers.is_network_failure(error):
            raise
        cached = papers.Papers(offline=True)
        try:
            found = papers.find(papers=cached, **query)
        except IoError:
            raise error from None
        day = papers.newest_day(
            cached, date=query["date"], week=query["week"], month=query["month"], by=query["by"]
        )
        screen.print_error(error, expected=True)
        screen.err.print(
            f"Going on without the network, with the list of {day} from the cache.", style="yellow"
        )
        return cached, found


def _report(  # noqa: PLR0917
    lm: LanguageModel,
    paper: Paper,
    topic: str,
    source: papers.Papers,
    max_new_tokens: int,
    shown: _Shown | None,
) -> Report:
    """One paper. What is wrong with it does not keep the others from being read."""
    with screen.progress_bar() as progress:

        def write(piece: str) -> None:
            if shown is not None:
                progress.stop()
                shown.write(piece)

        try:
            document = papers.read(paper.id, papers=source, progress=progress)
            summary = summarize(
                lm, document, title=paper.title, topic=topic, max_new_tokens=max_new_tokens,
                progress=progress,
                write=write,
            )  # fmt: skip
        except Error as error:
            progress.stop()
            screen.print_error(error, expected=True)
            return Report(paper, topic, None, error=str(error))
        return Report(paper, topic, summary, source=document.kind, note=document.note)

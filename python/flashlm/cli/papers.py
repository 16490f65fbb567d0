# SPDX-License-Identifier: Apache-2.0
"""papers.py: ``flashlm papers``: finds the top daily papers of a topic, reads every page, and summarizes each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import typer

from flashlm import Error, LanguageModel, papers
from flashlm.cli import options, screen
from flashlm.papers import Paper
from flashlm.summarize import Summary, summarize

NAME = "papers"
EXAMPLES = options.examples(
    'flashlm papers --topic "LLM" --top 3',
    "flashlm papers --topic speech --top 1 --week 2026-W47 --output markdown --model model.flash",
    'flashlm papers --topic "LLM" --top 1 --output json --offline',
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
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        facts = {key: getattr(self.paper, key) for key in ("id", "title", "url", "upvotes", "daily")}
        facts["topic"] = self.topic
        if self.summary is None:
            return {**facts, "error": self.error}
        return {
            **facts,
            "summary": self.summary.text,
            "source": self.source,
            "pages": list(self.summary.pages),
            "empty_pages": list(self.summary.empty_pages),
        }

    def lines(self, *, markdown: bool) -> list[str]:
        """For people."""
        body = f"Not summarized: {self.error}" if self.summary is None else self.summary.text
        facts = [f"{self.paper.upvotes} votes", *([f"topic {self.topic}"] if self.topic else [])]
        if self.summary is not None:
            facts.append(f"made of {self.summary.pages_text}" + ("" if self.source == "pdf" else f" ({self.source})"))
        if markdown:
            return [f"## [{self.paper.title}]({self.paper.url})", "", f"*{', '.join(facts)}*", "", body, ""]
        return [self.paper.title, self.paper.url, ", ".join(facts), "", body, ""]


def main(
    *,
    topic: Annotated[
        str, typer.Option("--topic", metavar="TEXT", help="What the papers are about; commas separate choices.")
    ] = "",
    top: Annotated[int, typer.Option("--top", metavar="N", help="How many papers at most.")] = 3,
    date: Annotated[str | None, typer.Option("--date", metavar="DAY", help="The list of a day: 2026-11-20.")] = None,
    week: Annotated[str | None, typer.Option("--week", metavar="WEEK", help="Of a week: 2026-W47.")] = None,
    month: Annotated[str | None, typer.Option("--month", metavar="MONTH", help="Of a month: 2026-11.")] = None,
    by: Annotated[By, typer.Option("--by", help="What makes a paper a top one.")] = By.votes,
    output: Annotated[Output, typer.Option("--output", "-o", help="How the summaries are written.")] = Output.text,
    offline: Annotated[bool, typer.Option("--offline", help="Takes everything from the cache.")] = False,
    model: options.Model = None,
    memory: options.Memory = "50%",
    context: options.FullContext = None,
    threads: options.Threads = None,
    max_new_tokens: options.MaxNewTokens = 256,
    kv_store: options.KvStore = True,
) -> None:
    """Finds the top daily papers of a topic, reads every page, and summarizes each."""
    with screen.progress_bar() as progress:
        source = papers.Papers(offline=True if offline else None)
        found = papers.find(
            topic, top, date=date, week=week, month=month, by=by.value, papers=source, progress=progress
        )
        if not found:
            raise Error(
                f"[papers] topic: expected daily papers{f' about {topic!r}' if topic else ''}, found none. "
                "Try other words, or another date, week or month."
            )
        lm = options.open_model(
            model, memory=memory, context=context, threads=threads, kv_store=kv_store, progress=progress
        )
        with lm:
            reports = [_report(lm, paper, topic, source, max_new_tokens, progress) for paper in found]
    if output is Output.json:
        screen.print_json({"topic": topic, "papers": [report.to_dict() for report in reports]})
    else:
        for report in reports:
            for line in report.lines(markdown=output is Output.markdown):
                bold = output is Output.text and line == report.paper.title
                # A terminal shows whole words; a file or a pipe gets whole paragraphs.
                wrap = not screen.out.is_terminal
                screen.out.print(line, markup=False, style="bold" if bold else None, soft_wrap=wrap)
    if any(report.summary is None for report in reports):
        raise typer.Exit(1)


def _report(  # noqa: PLR0917
    lm: LanguageModel,
    paper: Paper,
    topic: str,
    source: papers.Papers,
    max_new_tokens: int,
    progress: Callable[[str, int, int], None],
) -> Report:
    """One paper. What is wrong with it does not keep the others from being read."""
    try:
        document = papers.read(paper.id, papers=source, progress=progress)
        summary = summarize(
            lm, document, title=paper.title, topic=topic, max_new_tokens=max_new_tokens, progress=progress
        )
    except Error as error:
        screen.print_error(error, expected=True)
        return Report(paper, topic, None, error=str(error))
    return Report(paper, topic, summary, source=document.kind)

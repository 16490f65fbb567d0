# SPDX-License-Identifier: Apache-2.0
"""screen.py: what the command line shows.

Answers go to stdout; everything about them goes to stderr.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from flashlm._core import MemoryPlan, Stats, format_bytes

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)

_MILLI = 1e-3
_STAGES = {
    "download": "Downloading",
    "pack": "Packing",
    "wait": "Waiting for another process that packs this model",
    "load": "Loading",
    "verify": "Verifying",
    "probe": "Measuring the disk",
    "export": "Writing for other programs",
    "decode": "Decoding",
    "collect": "Watching the neurons",
    "fit": "Training predictors",
    "measure": "Measuring perplexity",
    "fetch": "Fetching the demo's model",
    "find": "Finding papers",
    "wait for the server": "Waiting for the server",
    "read": "Reading pages",
    "prefill": "Computing the prompt",
    "summarize": "Summarizing",
}
_SHORT_STAGES = {"load", "verify", "probe", "decode", "prefill"}  # not worth a line in a log
_PLAN_WORDS = {
    "resident": "norms",
    "pinned": "weights that stay",
    "stream": "buffers for weights that pass",
    "kv": "KV cache",
    "scratch": "scratch",
}


class ProgressBar:
    """Moves a bar as a ``progress(stage, done, total)`` callback.

    Without a bar, prints a line for a long stage.
    """

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars
        self._stopped = False
        self._stage: str | None = None
        self._task: TaskID | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Shows how far a stage is; a new stage gets a new bar."""
        if self._stopped or (self._bars is None and stage in _SHORT_STAGES):
            return
        begins = stage != self._stage
        self._stage = stage
        words = _STAGES.get(stage, stage)
        if self._bars is None:
            if begins:
                err.print(f"{words} ...", markup=False)
            return
        if begins or self._task is None:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(words)
        self._bars.update(self._task, completed=done, total=max(total, 1))

    def stop(self) -> None:
        """Takes the bar away, for what is written now."""
        self._stopped = True
        if self._bars is not None:
            self._bars.stop()


@contextmanager
def progress_bar() -> Iterator[ProgressBar]:
    """Shows a progress bar on stderr while the block runs, if somebody watches.

    It leaves nothing behind.
    """
    if not err.is_terminal:
        yield ProgressBar(None)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bars:
        yield ProgressBar(bars)


def print_json(value: Mapping[str, Any]) -> None:
    """Prints one JSON object on one line of stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_error(error: BaseException, *, expected: bool) -> None:
    """Prints one line about an error, or its traceback for developers.

    They ask with FLASHLM_TRACEBACK=1 or --traceback.
    """
    if os.environ.get("FLASHLM_TRACEBACK", "") not in ("", "0"):
        traceback.print_exception(error, file=sys.stderr)
        return
    if expected:
        text = str(error) or type(error).__name__
    else:
        text = (
            f"unexpected {type(error).__name__}: {error} (run again with --traceback to see where)"
        )
    err.print("flashlm:", style="bold red", end=" ", soft_wrap=True)
    err.print(text, markup=False, soft_wrap=True)


def seconds(value: float) -> str:
    """A time in a fitting unit: "4.56 s", "12.30 ms", "7 us"."""
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.2f} ms" if value >= _MILLI else f"{value * 1e6:.0f} us"


def summary(stats: Stats) -> str:
    """One line: "42 tokens, 9.31 tokens/s, 84.0 MiB read per token, hit rate 48 %"."""
    speed = (
        f"{1 / stats.seconds_per_token:.3g} tokens/s"
        if stats.seconds_per_token
        else "no token decoded"
    )
    return (
        f"{stats.tokens} tokens, {speed}, {format_bytes(round(stats.bytes_per_token))} read per "
        f"token, "
        f"hit rate {stats.hit_rate:.0%}"
    )


def weights_in_dram(plan: MemoryPlan) -> int:
    """How many bytes of DRAM hold weights, or make room for them on their way."""
    return plan.resident + plan.pinned + plan.stream


def plan_table(plan: MemoryPlan, title: str = "Where the memory goes") -> Table:
    """The memory plan: each part, its size, and its share of the whole."""
    table = _table(title, "", "bytes", "share")
    for name, words in _PLAN_WORDS.items():
        size = getattr(plan, name)
        table.add_row(words, format_bytes(size), f"{size / plan.total:.0%}" if plan.total else "")
    held = weights_in_dram(plan)
    table.add_section()
    table.add_row("together", format_bytes(plan.total), "100%")
    table.add_section()
    table.add_row(
        "weights in DRAM",
        format_bytes(held),
        f"{held / plan.weights:.0%} of {format_bytes(plan.weights)}",
    )
    if plan.limit is not None:
        table.add_row(f"free of {plan.limit['name']}", format_bytes(plan.limit["room"]), "")
        table.add_row("of which stay free", format_bytes(plan.limit["reserve"]), "")
    table.add_row("budget", format_bytes(plan.budget), "")
    table.add_row("smallest budget that works", format_bytes(plan.smallest), "")
    return table


def stats_table(stats: Stats, title: str = "What it took") -> Table:
    """The statistics of a run: tokens, bytes, and the time of each stage."""
    table = _table(title, "", "value")
    table.add_row("prompt tokens computed", str(stats.prefill_tokens))
    table.add_row("prompt tokens reused", str(stats.reused_tokens))
    table.add_row("prompt time", seconds(stats.prefill_seconds))
    table.add_row("tokens decoded", str(stats.tokens))
    table.add_row("time per token", seconds(stats.seconds_per_token))
    table.add_section()
    table.add_row("bytes read", format_bytes(stats.bytes_read))
    table.add_row("bytes read per token", format_bytes(round(stats.bytes_per_token)))
    table.add_row("hit rate (neurons in DRAM)", f"{stats.hit_rate:.1%}")
    table.add_section()
    table.add_row("time waiting for flash", seconds(stats.io_seconds))
    table.add_row("time managing memory", seconds(stats.memory_seconds))
    table.add_row("time computing", seconds(stats.compute_seconds))
    table.add_row("peak memory of the process", format_bytes(stats.peak_bytes))
    return table


def comparison_table(stats: Stats, resident: Stats) -> Table:
    """Two runs side by side: in little memory, and fully resident."""
    rows: list[tuple[str, Callable[[Stats], str]]] = [
        ("tokens decoded", lambda s: str(s.tokens)),
        ("prompt", lambda s: f"{s.prefill_tokens} tokens in {seconds(s.prefill_seconds)}"),
        ("time per token", lambda s: seconds(s.seconds_per_token)),
        ("bytes read per token", lambda s: format_bytes(round(s.bytes_per_token))),
        ("hit rate (neurons in DRAM)", lambda s: f"{s.hit_rate:.1%}"),
        ("time waiting for flash", lambda s: seconds(s.io_seconds)),
        ("time managing memory", lambda s: seconds(s.memory_seconds)),
        ("time computing", lambda s: seconds(s.compute_seconds)),
    ]
    table = _table("What it took", "", "from flash", "resident")
    for words, show in rows:
        table.add_row(words, show(stats), show(resident))
    return table


def write(text: str) -> None:
    """Writes a piece of an answer to stdout at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


class WordWriter:
    """Writes a text to stdout as it comes: in a terminal it breaks no words.

    Blanks at both ends are left out, and so is what would control a terminal.
    """

    def __init__(self) -> None:
        self._width = out.width if out.is_terminal else 0
        self._column = 0
        self._blank = ""
        self._word = ""
        self._begun = False

    def write(self, piece: str) -> None:
        """Writes the words that are whole.

        Elsewhere than in a terminal, all but blanks that may be the last.
        """
        for part in re.split(r"(\s+)", plain(piece)):
            if part.isspace():
                self._flush()
                self._blank += part if self._begun else ""
            elif part:
                self._word += part
                self._begun = True
                if not self._width:
                    self._flush()

    def end(self) -> bool:
        """Writes the rest and ends the line. False if there was no text."""
        self._flush()
        if self._begun:
            write("\n")
        return self._begun

    def _flush(self) -> None:
        if not self._word:
            return
        blank, self._blank = self._blank, ""
        if self._width:
            size = cell_len(self._word)
            if "\n" in blank:
                self._column = len(blank.rpartition("\n")[2])
            elif blank and self._column + len(blank) + size > self._width:
                blank, self._column = "\n", 0
            else:
                self._column += len(blank)
            self._column += size
        write(blank + self._word)
        self._word = ""


def plain(text: str) -> str:
    """A text of strangers without the characters that would control a terminal."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


def tell(line: str) -> None:
    """Writes a line about the run to stderr."""
    err.print(line, style="dim", markup=False, soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table

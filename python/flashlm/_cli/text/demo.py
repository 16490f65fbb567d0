# SPDX-License-Identifier: Apache-2.0
"""demo.py: ``flashlm demo``: the main job on a fresh machine."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group
from rich.text import Text

from flashlm import demo
from flashlm._cli.terminal import options, screen

NAME = "demo"
EXAMPLES = options.examples("flashlm demo", "flashlm demo --memory 75% --json")


def main(
    *,
    prompt: Annotated[
        str, typer.Option("--prompt", "-p", metavar="TEXT", help="What to ask.")
    ] = demo.PROMPT,
    memory: options.Memory = "50%",
    max_new_tokens: options.MaxNewTokens = 64,
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Fetches and packs a small chat model, runs it in half its size, and checks the answer.

    The check is bit for bit.
    """
    with screen.progress_bar() as progress:
        folder = demo.prepare(progress)
    report = demo.run(
        folder,
        prompt=prompt,
        memory=memory,
        max_new_tokens=max_new_tokens,
        context=demo.CONTEXT,
        threads=threads,
        write=None if json else screen.write,
        tell=screen.tell,
    )
    if json:
        screen.print_json(report.to_dict())
    else:
        screen.out.print(table(report))
    if not report.equal:
        raise typer.Exit(1)


def table(report: demo.Report) -> Group:
    """The report as rich tables: memory, the numbers of both runs side by side, and the check."""
    numbers = screen.comparison_table(report.stats, report.resident_stats)
    check = Text(
        "equal, bit for bit" if report.equal else "DIFFERENT",
        "bold green" if report.equal else "bold red",
    )
    said = (
        f": {len(report.text)} characters and the logits of {report.n_logits} steps, "
        "against the fully resident run"
    )
    return Group(screen.plan_table(report.plan), numbers, Text.assemble(check, said))

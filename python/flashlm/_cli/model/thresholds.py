# SPDX-License-Identifier: Apache-2.0
"""thresholds.py: ``flashlm thresholds``: leaves neurons of SwiGLU out, and says the cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

import flashlm
from flashlm._cli.terminal import options, screen
from flashlm.home import packed
from flashlm.training._text import read_texts

NAME = "thresholds"
EXAMPLES = options.examples(
    "flashlm thresholds model.flash --text book.txt --lossy 0.4",
    'flashlm run model.flash --selector threshold -p "The moon is"',
)
_COMPARED = (0.3, 0.4, 0.5)


def main(
    model: options.Source,
    *,
    text: Annotated[
        list[Path],
        typer.Option(
            "--text",
            metavar="FILE",
            help="Half sets the thresholds, half is measured; may be given several times.",
        ),
    ],
    lossy: Annotated[
        float,
        typer.Option(
            "--lossy",
            metavar="SHARE",
            help="The share of neurons to leave out, above 0 and below 1.",
        ),
    ] = 0.4,
    memory: options.Memory = "auto",
    json: options.Json = False,
) -> None:
    """Lets a SwiGLU model leave out neurons with small gates.

    LOSSY: the text changes; prints by how much.
    """
    content = read_texts(text)
    with screen.progress_bar() as progress:
        result = flashlm.add_thresholds(
            packed(model, progress=progress),
            content,
            sparsity=lossy,
            compare=_COMPARED,
            memory=memory,
            progress=progress,
        )
    if json:
        screen.print_json(result)
        return
    screen.out.print(table(result))
    screen.out.print(
        f"The selector 'threshold' is lossy. It leaves out {lossy:.0%} of the neurons now: "
        f"perplexity {result['perplexity']:.3f}, {result['dense_perplexity']:.3f} dense.",
        markup=False,
    )


def table(result: dict[str, Any]) -> Table:
    """A row for dense, and one for each share that is left out."""
    shown = Table(title="Lossy thresholds", title_justify="left")
    for column in ("left out", "perplexity", "change"):
        shown.add_column(column, justify="right")
    dense = result["dense_perplexity"]
    shown.add_row("none (dense)", f"{dense:.3f}", "")
    for one in result["compared"]:
        change = 100 * (one["perplexity"] / dense - 1)
        shown.add_row(f"{one['sparsity']:.0%}", f"{one['perplexity']:.3f}", f"{change:+.2f} %")
    return shown

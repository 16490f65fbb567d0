# SPDX-License-Identifier: Apache-2.0
"""train.py: ``flashlm train``: teaches a packed model to guess which neurons a token needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

import flashlm
from flashlm._cli.terminal import options, screen

NAME = "train"
EXAMPLES = options.examples(
    "flashlm train model.flash --text book.txt",
    "flashlm train model.flash --text book.txt --recall 0.98 --tokens 4096 --plot predictors.png "
    "--json",
)


def main(
    model: options.Source,
    *,
    text: Annotated[
        list[Path],
        typer.Option(
            "--text", metavar="FILE", help="Text to learn from; may be given several times."
        ),
    ],
    rank: Annotated[
        str,
        typer.Option("--rank", metavar="N", help="A multiple of 32; auto chooses for each layer."),
    ] = "auto",
    recall: Annotated[
        float, typer.Option("--recall", help="The share of the activation mass to find.")
    ] = 0.99,
    tokens: Annotated[
        int, typer.Option("--tokens", "-n", metavar="N", help="Uses so many tokens at most.")
    ] = 16384,
    dtype: Annotated[
        str, typer.Option("--dtype", help="How predictors are stored: q8_0 or f16.")
    ] = "q8_0",
    epochs: Annotated[
        int, typer.Option("--epochs", metavar="N", help="Sees each token so often.")
    ] = 8,
    seed: Annotated[
        int, typer.Option("--seed", help="The same seed gives the same predictors.")
    ] = 0,
    fitter: Annotated[
        str, typer.Option("--fitter", help="What fits predictors: eigen, or torch if it is there.")
    ] = "eigen",
    memory: options.Memory = "auto",
    threads: options.Threads = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Writes there instead, and measures no perplexity."
        ),
    ] = None,
    perplexity: Annotated[
        bool,
        typer.Option(
            "--perplexity/--no-perplexity", help="Compares the model with and without predictors."
        ),
    ] = True,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draws the layers: PNG, SVG or PDF."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Trains a predictor for each layer of a ReLU model.

    An interrupted run goes on where it was.
    """
    if plot is not None:
        flashlm.plot.require("train --plot", plot)  # before minutes of training, not after
    with screen.progress_bar() as progress:
        report = flashlm.train(
            model,
            text,
            rank=_rank(rank),
            recall=recall,
            tokens=tokens,
            dtype=dtype,
            epochs=epochs,
            seed=seed,
            fitter=fitter,
            memory=memory,
            threads=threads,
            out=out,
            perplexity=perplexity,
            progress=progress,
        )
    if plot is not None:
        flashlm.plot.predictors(report).savefig(plot)
    if json:
        screen.print_json(report.to_dict())
        return
    screen.out.print(table(report))
    screen.out.print(report.verdict())


def table(report: flashlm.TrainReport) -> Table:
    """A row for each layer."""
    result = Table(
        title=f"{report.path}: {report.dtype}, {report.tokens} tokens", title_justify="left"
    )
    columns = ("layer", "rank", "silent", "chosen", "over", "recall", "mass", "precision", "cost")
    for column in columns:
        result.add_column(column, justify="right")
    for one in report.layers:
        result.add_row(
            str(one.layer),
            str(one.rank) if one.rank else "all",
            f"{one.sparsity:.1%}",
            f"{one.predicted:.1%}",
            f"{one.over_prediction:.2f}",
            f"{one.recall:.1%}",
            f"{one.mass_recall:.2%}",
            f"{one.precision:.1%}",
            f"{one.cost:.1%}",
        )
    return result


def _rank(text: str) -> int | str:
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(
            f"expected a number or auto, got {text!r}", param_hint="--rank"
        ) from None

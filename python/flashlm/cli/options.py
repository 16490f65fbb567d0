# SPDX-License-Identifier: Apache-2.0
"""options.py: the options that commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A packed folder, a GGUF file, a Hugging Face folder, or a hub id such as owner/name."
    ),
]
Memory = Annotated[
    str, typer.Option("--memory", "-m", metavar="SIZE", help="How much DRAM: 4GiB, 500MB, or a share of the weights.")
]
Context = Annotated[
    int | None,
    typer.Option("--context", metavar="N", help="Tokens that fit; by default the model's, 4096 at most."),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", "-t", metavar="N", help="Threads that compute; by default one per core."),
]
Reader = Annotated[str, typer.Option("--reader", metavar="NAME", help="How flash is read: auto, threads or uring.")]
MaxNewTokens = Annotated[int, typer.Option("--max-new-tokens", "-n", metavar="N", help="Ends after so many tokens.")]
Temperature = Annotated[float, typer.Option("--temperature", help="0 takes the likeliest token; more than 0 draws.")]
TopK = Annotated[int, typer.Option("--top-k", help="Draws from the likeliest k tokens; 0 for all.")]
TopP = Annotated[float, typer.Option("--top-p", help="Draws from the likeliest tokens that make up this probability.")]
MinP = Annotated[float, typer.Option("--min-p", help="Drops tokens below this share of the likeliest one's.")]
RepetitionPenalty = Annotated[
    float, typer.Option("--repetition-penalty", help="Above 1 makes tokens of the text so far less likely.")
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed draws the same tokens.")]
Stop = Annotated[
    list[str] | None,
    typer.Option("--stop", metavar="TEXT", help="Ends before this text; may be given several times."),
]
JsonSchema = Annotated[
    Path | None,
    typer.Option("--json-schema", metavar="FILE", help="Writes JSON that the schema in this file allows."),
]
Json = Annotated[bool, typer.Option("--json", help="Prints one JSON object for programs.")]


def examples(*lines: str) -> str:
    """The end of a command's help. A test runs every line."""
    return "Examples:\n" + "\n".join(f"  $ {line}" for line in lines)

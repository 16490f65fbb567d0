# SPDX-License-Identifier: Apache-2.0
"""options.py: the options that commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flashlm.choices import check_choices, check_sizes
from flashlm.cli import screen
from flashlm.language_model import LanguageModel, Progress

Source = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A packed folder, a GGUF file, a Hugging Face folder, or a hub id such as owner/name."
    ),
]
Memory = Annotated[
    str,
    typer.Option(
        "--memory",
        "-m",
        metavar="SIZE",
        help="How much DRAM: auto, 4GiB, 500MB, or a share of the weights such as 50%.",
    ),
]
Context = Annotated[
    int | None,
    typer.Option(
        "--context", metavar="N", help="Tokens that fit; by default the model's, 4096 at most, or what memory holds."
    ),
]
Parallel = Annotated[
    int, typer.Option("--parallel", metavar="N", help="Conversations whose keys and values have room from the start.")
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", "-t", metavar="N", help="Threads that compute; by default one per core."),
]
LockMemory = Annotated[bool, typer.Option("--lock-memory", help="Keeps all memory of the model out of swap.")]
Reader = Annotated[str, typer.Option("--reader", metavar="NAME", help="How flash is read: auto, threads or uring.")]
Selector = Annotated[
    str,
    typer.Option(
        "--selector", metavar="NAME", help="Which neurons are needed: auto, dense, predictor, gate or threshold."
    ),
]
Policy = Annotated[
    str,
    typer.Option(
        "--policy",
        metavar="NAME",
        help="Which chosen neurons leave DRAM first: auto, combined, window, lru, frequency or none. "
        "paper is the paper's own cache, whose results depend on what it holds.",
    ),
]
Window = Annotated[
    int | None, typer.Option("--window", metavar="N", help="Tokens whose neurons stay; by default as many as fit.")
]
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
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        envvar="FLASHLM_MODEL",
        help="A packed folder, a GGUF file, a Hugging Face folder, or a hub id; by default the demo's model.",
    ),
]
FullContext = Annotated[
    int | None,
    typer.Option("--context", metavar="N", help="Tokens that fit; by default all of the model's that memory can hold."),
]
KvStore = Annotated[
    bool, typer.Option("--kv-store/--no-kv-store", help="Keeps what was read computed, for later runs too.")
]
KvStoreBytes = Annotated[
    str, typer.Option("--kv-store-bytes", metavar="SIZE", help="What that may hold, of all models: 8GiB, 500MB.")
]
LoadSession = Annotated[
    Path | None,
    typer.Option("--load-session", metavar="FILE", help="Goes on from there, with what was computed then."),
]
SaveSession = Annotated[
    Path | None,
    typer.Option("--save-session", metavar="FILE", help="Ends with saving what was read and written, to go on from."),
]
Json = Annotated[bool, typer.Option("--json", help="Prints one JSON object for programs.")]


def examples(*lines: str) -> str:
    """The end of a command's help. A test runs every line."""
    return "Examples:\n" + "\n".join(f"  $ {line}" for line in lines)


def open_source(source: str, *, quiet: bool = False, **options: Any) -> LanguageModel:
    """The model that `Source` names, opened with a bar of progress; `options` are those of `from_pretrained`.

    Unless it is ``quiet``, the plan is told before any weight is read.
    """
    from flashlm.home import packed
    from flashlm.plan_lines import plan_lines

    opening = {name: options[name] for name in ("context", "threads", "selector", "policy", "window")}
    check_choices(selector=options["selector"], policy=options["policy"], window=options["window"], drafter=None)
    check_sizes(context=options["context"], threads=options["threads"])
    with screen.progress_bar() as progress:
        folder = packed(source, progress=progress, tell=screen.tell)
        if not quiet:
            for line in plan_lines(folder, memory=options["memory"], **opening):
                screen.tell(line)
        return LanguageModel.from_pretrained(folder, **options, progress=progress)


def open_model(
    model: str | None,
    *,
    memory: str,
    context: int | None,
    threads: int | None,
    kv_store: bool,
    progress: Progress | None = None,
) -> LanguageModel:
    """The model that `Model` names, or the demo's; by default with the longest context that `memory` can hold."""
    from flashlm import demo
    from flashlm.context_size import largest_context
    from flashlm.home import packed

    folder = demo.prepare(progress) if model is None else packed(model, progress=progress, tell=screen.tell)
    return LanguageModel.from_pretrained(
        folder,
        memory=memory,
        context=largest_context(folder, memory) if context is None else context,
        threads=threads,
        kv_store=kv_store,
        progress=progress,
    )

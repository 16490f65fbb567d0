# SPDX-License-Identifier: Apache-2.0
"""options.py: the options that commands share, each described once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from flashlm import _core
from flashlm._cli.terminal import screen
from flashlm._engine.opening_options import check_opening
from flashlm.language_model import LanguageModel, Progress

_Command = TypeVar("_Command", bound=Callable[..., None])

Source = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A packed folder, a GGUF file, a Hugging Face folder, or a hub id such as owner/name.",
    ),
]


def _option(name: str, *short: str, metavar: str | None = None) -> Any:
    """An option of the engine's tables, whose help is the first sentence and the words there."""
    option = _TABLE[name]
    said = option["doc"].split(". ")[0].rstrip(".").replace("`", "").replace('"', "")
    words = (
        f": {option['words']}"
        if option["words"] and option["words"].split(", ")[-1] not in said
        else ""
    )
    return typer.Option(
        "--" + name.replace("_", "-"), *short, metavar=metavar, help=f"{said}{words}."
    )


_TABLE = {option["name"]: option for option in [*_core.OPENING_OPTIONS, *_core.GENERATION_OPTIONS]}
Memory = Annotated[str, _option("memory", "-m", metavar="SIZE")]
Context = Annotated[int | None, _option("context", metavar="N")]
Parallel = Annotated[int, _option("parallel", metavar="N")]
Threads = Annotated[int | None, _option("threads", "-t", metavar="N")]
Selector = Annotated[str, _option("selector", metavar="NAME")]
Policy = Annotated[str, _option("policy", metavar="NAME")]
Window = Annotated[int | None, _option("window", metavar="N")]
Reader = Annotated[str, _option("reader", metavar="NAME")]
Temperature = Annotated[float, _option("temperature")]
Seed = Annotated[int, _option("seed")]
MaxNewTokens = Annotated[int, _option("max_new_tokens", "-n", metavar="N")]
JsonSchema = Annotated[
    Path | None,
    typer.Option(
        "--json-schema", metavar="FILE", help="Writes JSON that the schema in this file allows."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        envvar="FLASHLM_MODEL",
        help="A packed folder, a GGUF file, a Hugging Face folder, or a hub id; "
        "by default the demo's model.",
    ),
]
FullContext = Annotated[
    int | None,
    typer.Option(
        "--context",
        metavar="N",
        help="Tokens that fit; by default all of the model's that memory can hold.",
    ),
]
KvStore = Annotated[
    bool,
    typer.Option(
        "--kv-store/--no-kv-store", help="Keeps what was read computed, for later runs too."
    ),
]
LoadSession = Annotated[
    Path | None,
    typer.Option(
        "--load-session", metavar="FILE", help="Goes on from there, with what was computed then."
    ),
]
SaveSession = Annotated[
    Path | None,
    typer.Option(
        "--save-session",
        metavar="FILE",
        help="Ends with saving what was read and written, to go on from.",
    ),
]
OPENING: dict[str, Any] = {
    "memory": Memory,
    "selector": Selector,
    "context": Context,
    "threads": Threads,
    "reader": Reader,
    "policy": Policy,
    "window": Window,
    "lock_memory": Annotated[bool, _option("lock_memory")],
    "kv_store": KvStore,
    "kv_store_bytes": Annotated[str, _option("kv_store_bytes", metavar="SIZE")],
}
"""How `run` and `chat` open a model: names of `from_pretrained`, and types for the command line."""
SAMPLING: dict[str, Any] = {
    "temperature": Temperature,
    "top_k": Annotated[int, _option("top_k")],
    "top_p": Annotated[float, _option("top_p")],
    "min_p": Annotated[float, _option("min_p")],
    "repetition_penalty": Annotated[float, _option("repetition_penalty")],
    "seed": Seed,
    "stop": Annotated[
        list[str] | None,
        typer.Option(
            "--stop", metavar="TEXT", help="Ends before this text; may be given several times."
        ),
    ],
}
"""How `run` and `chat` draw tokens: names of `generate`, and types for the command line."""
_DEFAULTS = {name: option["default"] for name, option in _TABLE.items()} | {
    "kv_store": False,
    "kv_store_bytes": "8GiB",
    "stop": None,
}
Json = Annotated[bool, typer.Option("--json", help="Prints one JSON object for programs.")]


def examples(*lines: str) -> str:
    """The end of a command's help. A test runs every line."""
    return "Examples:\n" + "\n".join(f"  $ {line}" for line in lines)


def takes(options: Mapping[str, Any]) -> Callable[[_Command], _Command]:
    """Makes a command take options by their names in place of ``**given``."""

    def decorate(command: _Command) -> _Command:
        signature = inspect.signature(command, eval_str=True)
        first = [
            one
            for one in signature.parameters.values()
            if one.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        named = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=annotation
            )
            for name, annotation in options.items()
        ]
        command.__signature__ = signature.replace(parameters=[*first, *named])  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in [*first, *named]}
        return command

    return decorate


def opening_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of a command's options opens the model."""
    return {name: given[name] for name in OPENING}


def sampling_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of a command's options draws tokens."""
    return {**{name: given[name] for name in SAMPLING}, "stop": given["stop"] or ()}


def open_source(source: str, *, quiet: bool = False, **options: Any) -> LanguageModel:
    """The model that `Source` names, opened with a bar of progress.

    `options` are those of `from_pretrained`.

    Unless it is ``quiet``, the plan is told before any weight is read.
    """
    from flashlm.home import packed
    from flashlm.planning import plan_lines

    opening = {
        name: options[name] for name in ("context", "threads", "selector", "policy", "window")
    }
    check_opening(
        {
            name: options[name]
            for name in options
            if name not in ("memory", "kv_store", "kv_store_bytes")
        }
    )
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
    """The model that `Model` names, or the demo's.

    By default with the longest context that `memory` can hold.
    """
    from flashlm import demo
    from flashlm.home import packed
    from flashlm.planning import largest_context

    folder = (
        demo.prepare(progress)
        if model is None
        else packed(model, progress=progress, tell=screen.tell)
    )
    return LanguageModel.from_pretrained(
        folder,
        memory=memory,
        context=largest_context(folder, memory) if context is None else context,
        threads=threads,
        kv_store=kv_store,
        progress=progress,
    )

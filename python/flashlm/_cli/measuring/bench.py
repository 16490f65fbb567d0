# SPDX-License-Identifier: Apache-2.0
"""bench.py: ``flashlm bench``: measures a model of random weights, or exports it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

import flashlm
from flashlm._cli.terminal import options, screen
from flashlm.bench import Report, export, run
from flashlm.bench._export import FORMATS
from flashlm.bench.report import PLANTED_NOTE
from flashlm.bench.shapes import SHAPES
from flashlm.packing.formats.dtypes import ROUNDED

NAME = "bench"
EXAMPLES = options.examples(
    "flashlm bench --shape hf-folder/config.json --memory 75%",
    "flashlm bench --shape hf-folder/config.json --dtype f32 --tokens 4 --keep random.flash --json",
    "flashlm bench --shape hf-folder/config.json --dtype f16 --export gguf --output random.gguf",
)


def main(
    *,
    shape: Annotated[
        str,
        typer.Option(
            "--shape", metavar="NAME", help=f"{', '.join(SHAPES)}, or the path of a config.json."
        ),
    ],
    dtype: Annotated[str, typer.Option("--dtype", help=f"One of {', '.join(ROUNDED)}.")] = "f16",
    memory: options.Memory = "50%",
    tokens: Annotated[
        int, typer.Option("--tokens", "-n", metavar="N", help="Decodes so many.")
    ] = 16,
    prompt: Annotated[
        int, typer.Option("--prompt", metavar="N", help="Reads so many random tokens before.")
    ] = 32,
    context: Annotated[
        int | None,
        typer.Option(
            "--context",
            metavar="N",
            help="Tokens that fit; by default what is needed, 512 at least.",
        ),
    ] = None,
    threads: options.Threads = None,
    reader: options.Reader = "auto",
    selector: Annotated[
        str,
        typer.Option(
            "--selector",
            help="dense; or predictor or gate: neurons then fire as those of sparse models do.",
        ),
    ] = "dense",
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            help="Which neurons leave DRAM first: auto, combined, window, lru, frequency, none; "
            "paper is not exact.",
        ),
    ] = "auto",
    window: Annotated[
        int | None,
        typer.Option(
            "--window",
            metavar="N",
            help="Tokens whose neurons stay, for --policy window and paper.",
        ),
    ] = None,
    bundled: Annotated[
        bool,
        typer.Option(
            "--bundled/--not-bundled",
            help="Whether a neuron is one read, or each of its rows is one.",
        ),
    ] = True,
    planted: Annotated[
        bool | None,
        typer.Option("--planted/--not-planted", help="Such firing whatever the selector."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Other weights and another prompt for another seed.")
    ] = 0,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FOLDER",
            help="Keeps the model there, and uses it if it is there already.",
        ),
    ] = None,
    export_format: Annotated[
        str | None,
        typer.Option(
            "--export", metavar="FORMAT", help=f"Only writes the weights: {' or '.join(FORMATS)}."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="PATH", help="Where --export writes.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Measures a model of random weights.

    Its text is meaningless; its bytes, times and memory are not.

    Beside the figures stand two floors that no program beats: the bytes of a token over the disk's
    rate and over that of DRAM, both measured in the same run.
    """
    if export_format is not None:
        if output is None:
            raise flashlm.ArgumentError("[bench] output: expected a path with --export, got none")
        with screen.progress_bar() as progress:
            export(shape, output, export_format, dtype=dtype, seed=seed, progress=progress)
        if json:
            screen.print_json({"path": str(output), "shape": shape, "dtype": dtype, "seed": seed})
        else:
            screen.out.print(str(output), markup=False)
        return
    with screen.progress_bar() as progress:
        report = run(
            shape,
            dtype=dtype,
            memory=memory,
            tokens=tokens,
            prompt=prompt,
            context=context,
            threads=threads,
            reader=reader,
            selector=selector,
            policy=policy,
            window=window,
            bundled=bundled,
            planted=planted,
            seed=seed,
            keep=keep,
            progress=progress,
        )
    if json:
        screen.print_json(report.to_dict())
        return
    screen.out.print(table(report))
    if report.planted is not None:
        screen.out.print(planted_table(report.planted))
    screen.tell(str(report.to_dict()["note"]))


def table(report: Report) -> Table:
    """The figures, and the floors beneath."""
    result = Table(
        title=f"{report.shape}, {report.dtype}, memory {report.memory}",
        title_justify="left",
        title_style="bold",
    )
    result.add_column("")
    result.add_column("value", justify="right")
    stats, plan, size = report.stats, report.memory_plan, flashlm.format_bytes
    result.add_row("weights", size(plan["weights"]))
    result.add_row("memory in use", size(plan["total"]))
    result.add_section()
    per_prompt_token = stats["prefill_seconds"] / max(stats["prefill_tokens"], 1)
    result.add_row(
        "prompt", f"{stats['prefill_tokens']} tokens, {screen.seconds(per_prompt_token)} each"
    )
    result.add_row("decoded", f"{stats['tokens']} tokens")
    result.add_row("time per token", screen.seconds(stats["seconds_per_token"]))
    result.add_row("bytes read per token", size(round(stats["bytes_per_token"])))
    result.add_row("hit rate (neurons in DRAM)", f"{stats['hit_rate']:.1%}")
    result.add_row("time waiting for flash", screen.seconds(stats["io_seconds"]))
    result.add_section()
    cache = "" if report.disk_is_direct else " (PAGE CACHE, not the disk)"
    for what, floor, rates, holds in (
        (f"disk{cache}", report.disk_floor, report.disk_rates, report.disk_is_floor),
        ("DRAM", report.dram_floor, report.dram_rates, report.dram_is_floor),
    ):
        rate = f"{min(rates) / 1e9:.2f} to {max(rates) / 1e9:.2f} GB/s"
        name = "floor" if holds else "NO FLOOR, as the run was faster"
        result.add_row(f"{name}: {what} at {rate}", f"{screen.seconds(floor)} per token")
    return result


def planted_table(planted: dict[str, Any]) -> Table:
    """The aggregated usage of neurons (arXiv:2312.11514, figure 6) that was planted."""
    result = Table(
        title="What was planted: shares of a layer's neurons",
        title_justify="left",
        title_style="bold",
        caption=PLANTED_NOTE,
    )
    for column in ("window, tokens", "predicted for any of them", "new with the next token"):
        result.add_column(column, justify="right")
    for size, (union, new) in enumerate(zip(planted["windows"], planted["new"], strict=True), 1):
        result.add_row(str(size), f"{union:.1%}", f"{new:.2%}")
    return result

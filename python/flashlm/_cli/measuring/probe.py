# SPDX-License-Identifier: Apache-2.0
"""probe.py: ``flashlm probe``: how fast a disk reads, by the size and the number of reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

import flashlm
from flashlm._cli.terminal import options, screen

NAME = "probe"
EXAMPLES = options.examples(
    "flashlm probe --quick",
    "flashlm probe model.flash --seconds 1 --json",
    "flashlm probe model.flash --seconds 1 --plot disk.png",
)


def main(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A file; a packed folder; or any folder, for a scratch file."
        ),
    ] = Path(),
    *,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="About how long; 10, or 2 with --quick.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Measures a few points only.")] = False,
    reader: options.Reader = "auto",
    page_cache: Annotated[
        bool,
        typer.Option(
            "--page-cache", help="Measures the page cache where direct reads are impossible."
        ),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draws the curve: PNG, SVG or PDF."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measures a disk: median and range, since disks drift.

    Reads around the page cache, writes only a scratch file.
    """
    if plot is not None:
        flashlm.plot.require("probe --plot", plot)  # before ten seconds of measuring, not after
    with screen.progress_bar() as progress:
        probe = flashlm.probe(
            target(path),
            seconds=seconds,
            quick=quick,
            reader=reader,
            page_cache=page_cache,
            progress=lambda share: progress("probe", round(1000 * share), 1000),
        )
    if plot is not None:
        flashlm.plot.disk_probe(probe).savefig(plot)
    if json:
        screen.print_json(probe.to_dict())
        return
    screen.out.print(table(probe))
    if probe.recommended is not None:
        size = flashlm.format_bytes(probe.recommended.chunk_bytes)
        screen.out.print(f"Recommended: reads of {size}, {probe.recommended.depth} in flight.")


def target(path: Path) -> Path:
    """What to read: of a packed folder the largest weight file of a layer, the first of equals.

    That tells more than a fresh scratch file.
    """
    weights = sorted(path.glob("*-?????.safetensors")) if path.is_dir() else []
    return max(weights, key=lambda file: file.stat().st_size) if weights else path


def table(probe: flashlm.DiskProbe) -> Table:
    """A row for each size of reads and depth, sequential and random beside each other."""
    how = "direct reads" if probe.direct else "PAGE CACHE, not the disk"
    result = Table(
        title=f"{probe.path}: {probe.date}, reader {probe.reader}, "
        f"{how} of {flashlm.format_bytes(probe.file_bytes)}",
        title_justify="left",
        title_style="bold",
    )
    result.add_column("reads of", justify="right")
    result.add_column("in flight", justify="right")
    for order in ("sequential", "random"):
        result.add_column(f"{order}, MB/s: median (min to max)", justify="right")
    points = {(point.chunk_bytes, point.depth, point.sequential): point for point in probe.points}
    last = None
    for chunk, depth in sorted({(point.chunk_bytes, point.depth) for point in probe.points}):
        if last not in (None, chunk):
            result.add_section()
        last = chunk
        cells = [_rate(points.get((chunk, depth, sequential))) for sequential in (True, False)]
        result.add_row(flashlm.format_bytes(chunk), str(depth), *cells)
    return result


def _rate(point: flashlm._core.ProbePoint | None) -> str:
    if point is None:
        return ""
    low, high = point.bytes_per_second_min / 1e6, point.bytes_per_second_max / 1e6
    return f"{point.bytes_per_second_median / 1e6:.0f} ({low:.0f} to {high:.0f})"

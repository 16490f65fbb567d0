# SPDX-License-Identifier: Apache-2.0
"""plot.py: pictures of a model's memory and of a disk.

Matplotlib is imported when the first one is drawn.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from flashlm._core import ArgumentError, DiskProbe, MemoryPlan, format_bytes
from flashlm._engine.checked_calls import checked
from flashlm._engine.files import io_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from flashlm.training import TrainReport

# What a plan is made of, from what every token needs to what comes and goes.
_PARTS = (
    ("resident", "norms", "#1f4e79"),
    ("pinned", "weights that stay", "#2e86c1"),
    ("stream", "buffers for weights that pass", "#85c1e9"),
    ("selector", "selector of neurons", "#48a999"),
    ("window", "neurons used lately", "#a3d9c9"),
    ("kv", "KV cache", "#e59866"),
    ("scratch", "scratch", "#b2babb"),
)
_ON_FLASH = ("weights read for every token", "weights read when needed", "#d7dbdd")
_MOST_TICKS = 6
_DEPTH_COLOURS = ("#85c1e9", "#2e86c1", "#1f4e79", "#0b2239")


@checked("plot")
def require(what: str, path: Path | None = None) -> None:
    """Checks that `what` can draw, and keep its picture in `path`, before it takes its time.

    Raises:
        ImportError: matplotlib is missing; the message names the extra.
        ArgumentError: matplotlib has no format of that name.
        IoError: The folder of the picture does not exist.

    Example:
        >>> flashlm.plot.require("memory_plan")
    """
    try:
        import matplotlib  # noqa: F401, ICN001 - only whether it is there
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise ImportError(
            f"[plot] {what}: expected matplotlib, found none. Install it: pip install "
            f"'flashlm[plot]'."
        ) from error
    if path is None:
        return
    formats = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise ArgumentError(
            f"[plot] {what}: expected a name ending in .png, .svg or .pdf, got {str(path)!r}"
        )
    if not path.expanduser().parent.is_dir():
        raise io_error(
            what,
            FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent)),
            path,
            "plot",
        )


@checked("plot")
def memory_plan(plan: MemoryPlan) -> Figure:
    """Draws where the memory went: one bar for DRAM and its budget, one for the weights on flash.

    Args:
        plan: ``lm.memory_plan``.

    Returns:
        A figure; a notebook shows it, ``figure.savefig("memory.png")`` keeps it.

    Raises:
        ImportError: matplotlib is missing.

    Example:
        >>> figure = flashlm.plot.memory_plan(lm.memory_plan)
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['DRAM', 'weights']
    """
    require("memory_plan")
    from matplotlib.figure import Figure
    from matplotlib.ticker import MultipleLocator

    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axes = figure.subplots()
    start = 0
    sparse = plan.selector + plan.window > 0
    for name, label, colour in _PARTS:
        if name in ("selector", "window") and not sparse:
            continue
        start = _segment(axes, "DRAM", start, getattr(plan, name), colour=colour, label=label)
    held = 0
    for name, _, colour in _PARTS[:2]:
        held = _segment(axes, "weights", held, getattr(plan, name), colour=colour, label=None)
    _segment(
        axes,
        "weights",
        held,
        max(plan.weights - held, 0),
        colour=_ON_FLASH[2],
        label=_ON_FLASH[sparse],
    )

    axes.axvline(
        plan.budget,
        color="#c0392b",
        linewidth=1.5,
        linestyle="--",
        ymin=0.02,
        ymax=0.48,
        label=f"budget {format_bytes(plan.budget)}",
    )
    longest = max(plan.budget, plan.weights, plan.total)
    axes.set_xlim(0, 1.04 * longest)
    axes.xaxis.set_major_locator(MultipleLocator(1 << (longest // _MOST_TICKS).bit_length()))
    axes.xaxis.set_major_formatter(lambda value, _: format_bytes(max(int(value), 0)))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    other = plan.kv + plan.scratch  # needed whatever the weights, so the title counts it apart
    axes.set_title(
        f"{format_bytes(plan.total - other)} of DRAM for {format_bytes(plan.weights)} of weights, "
        f"{format_bytes(other)} for KV cache and scratch",
        loc="left",
    )
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


@checked("plot")
def disk_probe(probe: DiskProbe) -> Figure:
    """Draws a disk's speed against the size of reads.

    There is a line for each depth, with its range as a band.

    Args:
        probe: What ``flashlm.probe`` gave.

    Returns:
        A figure; a notebook shows it, ``figure.savefig("disk.png")`` keeps it.

    Raises:
        ImportError: matplotlib is missing.

    Example:
        >>> probe = flashlm.probe(
        ...     ".", seconds=0.1, depths=[4, 16], scratch_bytes=1 << 20, page_cache=True
        ... )
        >>> figure = flashlm.plot.disk_probe(probe)
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['sequential', 'anywhere in the file']
    """
    require("disk_probe")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    depths = sorted({point.depth for point in probe.points})
    sizes = sorted({point.chunk_bytes for point in probe.points})
    for axes, sequential, title in zip(
        panels, (True, False), ("sequential", "anywhere in the file"), strict=True
    ):
        for index, depth in enumerate(depths):
            points = sorted(
                (
                    point
                    for point in probe.points
                    if point.depth == depth and point.sequential == sequential
                ),
                key=lambda point: point.chunk_bytes,
            )
            chunks = [point.chunk_bytes for point in points]
            low = [point.bytes_per_second_min / 1e6 for point in points]
            high = [point.bytes_per_second_max / 1e6 for point in points]
            colour = _DEPTH_COLOURS[index * len(_DEPTH_COLOURS) // len(depths)]
            median = [point.bytes_per_second_median / 1e6 for point in points]
            label = f"{depth} in flight" if sequential else None
            axes.plot(chunks, median, color=colour, marker="o", markersize=4, label=label)
            axes.fill_between(chunks, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set_xscale("log", base=2)
        axes.set_xticks(
            sizes, [re.sub(r"\.0+ ", " ", format_bytes(size)) for size in sizes], rotation=30
        )
        axes.minorticks_off()
        axes.set_title(title, loc="left")
        axes.set_xlabel("size of a read")
        axes.grid(axis="y", color="#dddddd")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("MB/s: median and range")
    if probe.recommended is not None:
        panels[1].axvline(
            probe.recommended.chunk_bytes,
            color="#c0392b",
            linestyle="--",
            linewidth=1.2,
            label="recommended size",
        )
    what = f"reader {probe.reader}" + ("" if probe.direct else ", PAGE CACHE")
    figure.suptitle(f"How fast the disk reads, {probe.date[:10]}, {what}", fontsize="medium")
    figure.legend(
        loc="outside lower center", ncols=len(depths) + 1, frameon=False, fontsize="small"
    )
    return figure


@checked("plot")
def predictors(report: TrainReport) -> Figure:
    """Draws what predictors do, layer by layer.

    That is how much fires and is selected, and how much of it is found.

    Args:
        report: What ``flashlm.train`` gave.

    Returns:
        A figure; a notebook shows it, ``figure.savefig("predictors.png")`` keeps it.

    Raises:
        ImportError: matplotlib is missing.

    Example:
        >>> layer = flashlm.LayerReport(0, 32, -1.5, 0.9, 0.2, 0.98, 0.99, 0.5, 0.05)
        >>> path = Path("predictor.safetensors")
        >>> report = flashlm.TrainReport(path, "q8_0", 0.99, 8192, (layer,), 20.0, 20.1)
        >>> figure = flashlm.plot.predictors(report)
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['of all neurons', 'found, and right']
    """
    require("predictors")
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    shares, quality = figure.subplots(1, 2)
    layers = [one.layer for one in report.layers]
    shares.bar(
        layers,
        [one.predicted for one in report.layers],
        width=0.8,
        color="#aed6f1",
        label="selected",
    )
    shares.bar(
        layers,
        [1 - one.sparsity for one in report.layers],
        width=0.45,
        color="#1f4e79",
        label="fire",
    )
    costs = [one.cost for one in report.layers]
    shares.plot(
        layers, costs, "v", color="#e59866", label="predictor's cost, of the dense network's"
    )
    shares.set_title("of all neurons", loc="left")
    lines = (
        ("mass_recall", "activation mass found", "#1f4e79"),
        ("recall", "firing neurons found", "#2e86c1"),
    )
    for name, label, colour in (*lines, ("precision", "selected ones that fire", "#e59866")):
        quality.plot(
            layers, [getattr(one, name) for one in report.layers], "o-", color=colour, label=label
        )
    quality.axhline(
        report.target,
        color="#c0392b",
        linestyle="--",
        linewidth=1.2,
        label="asked for, of the mass",
    )
    quality.set_title("found, and right", loc="left")
    for axes in (shares, quality):
        axes.set_ylim(0, None if axes is shares else 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("layer")
        axes.grid(axis="y", color="#dddddd")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(
            frameon=False,
            fontsize="small",
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
            ncols=2,
        )
    figure.suptitle(report.verdict(), fontsize="medium")
    return figure


def _segment(axes: Axes, row: str, start: int, size: int, *, colour: str, label: str | None) -> int:
    """Draws one part of a bar and returns where the next begins."""
    text = None if label is None else f"{label}: {format_bytes(size)}"
    axes.barh(
        row,
        size,
        left=start,
        color=colour,
        edgecolor="white",
        linewidth=0.8,
        height=0.55,
        label=text,
    )
    return start + size

# SPDX-License-Identifier: Apache-2.0
"""plot.py: pictures of what a model does with its memory; matplotlib is imported when the first one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flashlm._core import MemoryPlan, format_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What a plan is made of, from what every token needs to what comes and goes.
_PARTS = (
    ("resident", "attention, embedding, head", "#1f4e79"),
    ("pinned", "neurons that stay", "#2e86c1"),
    ("stream", "buffers for neurons that pass", "#85c1e9"),
    ("kv", "KV cache", "#e59866"),
    ("scratch", "scratch", "#b2babb"),
)
_ON_FLASH = ("neurons read for every token", "#d7dbdd")
_MOST_TICKS = 6


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
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MultipleLocator
    except ImportError as error:
        raise ImportError(
            "[plot] memory_plan: expected matplotlib, found none. Install it: pip install 'flashlm[plot]'."
        ) from error

    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axes = figure.subplots()
    start = 0
    for name, label, colour in _PARTS:
        start = _segment(axes, "DRAM", start, getattr(plan, name), colour=colour, label=label)
    held = 0
    for name, _, colour in _PARTS[:2]:
        held = _segment(axes, "weights", held, getattr(plan, name), colour=colour, label=None)
    _segment(axes, "weights", held, max(plan.weights - held, 0), colour=_ON_FLASH[1], label=_ON_FLASH[0])

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
    axes.set_title(f"{format_bytes(plan.weights)} of weights in {format_bytes(plan.total)} of DRAM", loc="left")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def _segment(axes: Axes, row: str, start: int, size: int, *, colour: str, label: str | None) -> int:
    """Draws one part of a bar and returns where the next begins."""
    text = None if label is None else f"{label}: {format_bytes(size)}"
    axes.barh(row, size, left=start, color=colour, edgecolor="white", linewidth=0.8, height=0.55, label=text)
    return start + size

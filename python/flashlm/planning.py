# SPDX-License-Identifier: Apache-2.0
"""planning.py: where the memory of a model goes and how long a context it holds.

No weights are read.
"""

from __future__ import annotations

import os
from typing import Any

from flashlm import _core
from flashlm._core import BudgetError, MemoryPlan, format_bytes
from flashlm._engine.checked_calls import checked
from flashlm._engine.opening_options import check_memory, check_opening
from flashlm.packing.upgrade import upgraded

_ALL = "100%"


@checked("plan")
def plan(
    source: str | os.PathLike[str],
    *,
    memory: str | int = "auto",
    selector: str = "auto",
    context: int | None = None,
    parallel: int = 1,
    threads: int | None = None,
    policy: str = "auto",
    window: int | None = None,
) -> MemoryPlan:
    """Splits the memory that a model would have. Reads headers, but no weights, and packs nothing.

    Args:
        source: As for ``LanguageModel.from_pretrained``, like the other arguments.
        memory: How much DRAM the model may take.
        selector: Which neurons a token needs.
        context: How many tokens of a text fit.
        parallel: How many sessions have room from the start.
        threads: How many compute.
        policy: Which of the chosen neurons leave DRAM first.
        window: How many tokens' neurons stay.

    Returns:
        The plan; ``print`` it, or take ``to_dict()``.

    Raises:
        BudgetError: It cannot run in ``memory``; ``smallest_bytes`` would do.
        FormatError: The source is no model that can be read.
        IoError: The source is not there.
        ArgumentError: An argument lies outside its range.

    Example:
        >>> flashlm.plan("tiny.flash", memory="75%", context=64, parallel=2).sessions
        2
    """
    from flashlm.home import outlined

    options: dict[str, Any] = {
        "selector": selector,
        "context": context,
        "parallel": parallel,
        "threads": threads,
        "policy": policy,
        "window": window,
    }
    check_opening(options)
    budget = check_memory(memory)
    with outlined(source) as folder:
        return _core.LanguageModel.plan(folder, memory=budget, manifest=upgraded(folder), **options)


@checked("context_size")
def largest_context(folder: str | os.PathLike[str], memory: str | int = "auto") -> int:
    """The model's own context, or else the longest that the budget can hold.

    A budget holds weights and KV cache together; the KV cache may take half of what a short context
    would leave, since weights that it displaces are read again for every token. With a share of the
    weights the KV cache comes on top, and may take half of the memory that the system can spare.

    Args:
        folder: A packed model.
        memory: As for ``LanguageModel.from_pretrained``.

    Returns:
        How many tokens fit, at least 256 or the model's own. Opening the model with them raises
        BudgetError only if the budget is too small for any.

    Example:
        >>> from flashlm.planning import largest_context
        >>> largest_context("tiny.flash")
        128
    """
    return _core.LanguageModel.largest_context(
        os.fspath(folder), memory=check_memory(memory), manifest=upgraded(folder)
    )


@checked("plan")
def plan_lines(
    folder: str | os.PathLike[str], *, memory: str | int = "auto", **opening: Any
) -> list[str]:
    """Where the memory would go, and what would be faster if there is something.

    Args:
        folder: A packed model.
        memory: As for ``LanguageModel.from_pretrained``.
        **opening: The other options of opening, as for it, too.

    Returns:
        One line; with ``"auto"``, what it found and what it keeps free in another; and else, where
        the whole model fits into the memory that is free, and ``memory`` holds less, that.

    Raises:
        BudgetError: It cannot run in ``memory``.

    Example:
        >>> from flashlm.planning import plan_lines
        >>> plan_lines("tiny.flash", memory="100%")[0].split(";")[0]
        'Plan: 684 KiB of weights, all of them in DRAM'
    """
    opening["manifest"] = upgraded(folder)
    plan = _core.LanguageModel.plan(os.fspath(folder), memory=check_memory(memory), **opening)
    lines = [_line(plan)]
    if plan.limit is not None:
        lines.append(_found(plan.limit))
    free = _core.free_memory() if plan.limit is None else None
    if _in_dram(plan) < plan.weights and free is not None:
        try:
            whole = _core.LanguageModel.plan(os.fspath(folder), memory=_ALL, **opening)
        except BudgetError:
            return lines
        if whole.total <= free:
            lines.append(
                f"All of it fits into the {format_bytes(free)} that can be spared: with --memory "
                f"{_ALL} "
                f"({format_bytes(whole.total)}) no token waits for flash, which is faster."
            )
    return lines


def _line(plan: MemoryPlan) -> str:
    held = _in_dram(plan)
    share = "all of them" if held >= plan.weights else f"{format_bytes(held)} of them"
    return (
        f"Plan: {format_bytes(plan.weights)} of weights, {share} in DRAM; {format_bytes(plan.kv)} "
        f"of keys and "
        f"values for {plan.context} tokens (--context); {format_bytes(plan.total)} in all."
    )


def _found(limit: dict[str, Any]) -> str:
    return (
        f"Memory: {format_bytes(limit['room'])} of {limit['name']} are free, of which "
        f"{format_bytes(limit['reserve'])} "
        "stay free (--memory auto)."
    )


def _in_dram(plan: MemoryPlan) -> int:
    """Weights that stay."""
    return plan.resident + plan.pinned + plan.window

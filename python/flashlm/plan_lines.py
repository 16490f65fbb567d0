# SPDX-License-Identifier: Apache-2.0
"""plan_lines.py: where the memory of a model goes, in a line or two before anything is read."""

from __future__ import annotations

import os
from typing import Any

from flashlm import _core
from flashlm._core import BudgetError, MemoryPlan, format_bytes
from flashlm.choices import check_memory
from flashlm.packing.upgrade import upgraded

_ALL = "100%"


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
        >>> from flashlm.plan_lines import plan_lines
        >>> plan_lines("tiny.flash", memory="100%")[0].split(";")[0]
        'Plan: 509.0 KiB of weights, all of them in DRAM'
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

# SPDX-License-Identifier: Apache-2.0
"""planning.py: where the memory of a model would go, before anything is packed or read."""

from __future__ import annotations

import os
from typing import Any

from flashlm import _core
from flashlm._checked_calls import checked
from flashlm._core import MemoryPlan
from flashlm.choices import check_memory, check_opening


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
    from flashlm.packing.upgrade import upgraded

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

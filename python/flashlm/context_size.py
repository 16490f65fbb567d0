# SPDX-License-Identifier: Apache-2.0
"""context_size.py: how long a context a budget can hold."""

from __future__ import annotations

import os
from pathlib import Path

from flashlm._checked_calls import checked
from flashlm._core import BudgetError, parse_memory
from flashlm.choices import check_memory
from flashlm.language_model import LanguageModel
from flashlm.packing.files import read_object

_SMALLEST = 256
_STEP = 64
_DRAM_SHARE = 0.5  # where the budget is a share of the weights, the KV cache may take this much of the machine's DRAM
_BUDGET_SHARE = 0.5  # of a budget in bytes, beyond the smallest: every other byte keeps a weight from being read again


@checked("context_size")
def largest_context(folder: str | os.PathLike[str], memory: str | int = "50%") -> int:
    """The model's own context, or else the longest that the budget can hold.

    A budget in bytes holds weights and KV cache together; the KV cache may take half of what a short context would
    leave, since weights that it displaces are read again for every token. With a share of the weights the KV cache
    comes on top, and may take half of the machine's DRAM.

    Args:
        folder: A packed model.
        memory: As for ``LanguageModel.from_pretrained``.

    Returns:
        How many tokens fit, at least 256 or the model's own. Opening the model with them raises BudgetError only if the
        budget is too small for any.

    Example:
        >>> from flashlm.context_size import largest_context
        >>> largest_context("tiny.flash")
        128
    """
    config = read_object(Path(folder) / "config.json")
    own = int(config["max_position_embeddings"])
    size = parse_memory(check_memory(memory))
    least = _smallest_budget(folder, min(own, _SMALLEST))
    if own <= _SMALLEST:
        return own
    if size.share is None:
        budget = least + max(int(_BUDGET_SHARE * (size.bytes - least)), 0)
    else:
        budget = least + int(_DRAM_SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    most = _smallest_budget(folder, own)
    if most <= budget:
        return own
    context = _SMALLEST + (own - _SMALLEST) * max(budget - least, 0) // (most - least)  # bytes grow with tokens
    context = max(context // _STEP * _STEP, _SMALLEST)
    while context > _SMALLEST and _smallest_budget(folder, context) > budget:
        context -= _STEP
    return context


def _smallest_budget(folder: str | os.PathLike[str], context: int) -> int:
    """The smallest budget in bytes: the error of one that cannot do names it before any weight is read."""
    try:
        LanguageModel.from_pretrained(folder, memory=1, context=context).close()
    except BudgetError as error:
        return error.smallest_bytes
    return 1

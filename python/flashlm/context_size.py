# SPDX-License-Identifier: Apache-2.0
"""context_size.py: how long a context a budget can hold."""

from __future__ import annotations

import os

from flashlm import _core
from flashlm._checked_calls import checked
from flashlm.choices import check_memory
from flashlm.packing.upgrade import upgraded


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
        >>> from flashlm.context_size import largest_context
        >>> largest_context("tiny.flash")
        128
    """
    return _core.LanguageModel.largest_context(
        os.fspath(folder), memory=check_memory(memory), manifest=upgraded(folder)
    )

# SPDX-License-Identifier: Apache-2.0
"""packed_folder.py: what can be done with a packed folder beside running it."""

from __future__ import annotations

import os
from collections.abc import Callable

from flashlm import _core
from flashlm._engine.checked_calls import checked
from flashlm.packing.upgrade import upgraded


@checked("verify")
def verify(
    folder: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> None:
    """Reads every byte of a packed folder and compares its checksums.

    Args:
        folder: What `flashlm.pack` wrote.
        progress: Called with (done, total) bytes.

    Raises:
        IoError: A file cannot be read.
        FormatError: A file was changed, or a selector's belongs to other weights; the message names
            it.

    Example:
        >>> flashlm.verify("tiny.flash")
    """
    _core.verify(folder, progress, upgraded(folder))


@checked("gates")
def add_gates(
    folder: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> None:
    """Adds what the selector ``"gate"`` needs: a q8_0 copy of the gate rows.

    It stands beside the packed weights.

    Args:
        folder: What `flashlm.pack` wrote.
        progress: Called with (done, total) layers.

    Raises:
        ArgumentError: All neurons of the model fire, several of them are one bundle, or the size of
            its rows is no multiple of 32.
        IoError: A file cannot be read or written.
        FormatError: The folder is damaged.

    Example:
        >>> flashlm.add_gates("tiny.flash")
    """
    upgraded(folder)
    _core.add_gates(folder, progress)

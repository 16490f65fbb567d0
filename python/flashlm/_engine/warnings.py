# SPDX-License-Identifier: Apache-2.0
"""warnings.py: warnings that name the line of the program, not one of this package."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parent.parent)


def warn(text: str) -> None:
    """Warns with the first line outside of this package that led here."""
    level = 1
    frame = sys._getframe()  # noqa: SLF001 - warnings counts frames, and has no other way before Python 3.12
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(text, UserWarning, stacklevel=level)

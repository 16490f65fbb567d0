# SPDX-License-Identifier: Apache-2.0
"""Models of random weights: bytes, times and memory of any shape.

The same weights can be written for other programs.
"""

from __future__ import annotations

from flashlm.bench._export import export
from flashlm.bench.report import NOTE, Report, run
from flashlm.bench.synthetic import synthesize

__all__ = ["NOTE", "Report", "export", "run", "synthesize"]

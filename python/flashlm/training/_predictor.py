# SPDX-License-Identifier: Apache-2.0
"""_predictor.py: what a layer's predictor is: two small matrices and a bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Predictor:
    """What one layer stores, as the numbers that a reader will see."""

    reduce: Array  # [rank, dim]
    expand: Array  # [hidden, rank]
    bias: Array  # [hidden]

    @property
    def rank(self) -> int:
        """Numbers between the two matrices."""
        return len(self.reduce)

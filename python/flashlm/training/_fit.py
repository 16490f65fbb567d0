# SPDX-License-Identifier: Apache-2.0
"""_fit.py: a low-rank predictor for one layer, fitted in C++, or with torch.

From the input x of a feed-forward network it says which neurons will fire: ``expand @ (reduce @ x)
+ bias`` above a threshold. What is calibrated and measured is what will be stored: the rounded
matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flashlm import _core
from flashlm.training._activations import Part
from flashlm.training._predictor import Array, Predictor
from flashlm.training._store import rounded
from flashlm.training._torch_fit import fit_with_torch, torch_threads

FITTERS = ("eigen", "torch")
RANK_UNIT = 32  # a block of q8_0
_WORTH = 0.98  # a doubled rank must bring the cost below this share of what it was


@dataclass(frozen=True)
class Quality:
    """How a predictor does on some tokens. Shares are of a layer's neurons."""

    active: float  # fire
    predicted: float  # are selected
    recall: float  # of those that fire, are selected
    mass_recall: float  # of the sum of their sizes, is selected
    precision: float  # of those that are selected, fire


def fit(
    part: Part, rank: int, *, fitter: str, epochs: int, seed: int, dtype: str, threads: int | None
) -> Predictor:
    """Learns which neurons fire.

    In its loss those that fire weigh as much as those that do not. Of those that fire, large ones
    weigh more: half of the weight is spread evenly, half by size.

    Args:
        part: What to learn from.
        rank: Numbers between the two matrices.
        fitter: "eigen", which is C++ and gives the same bits with any number of threads; or
            "torch".
        epochs: How often each token is seen.
        seed: Of the start and the order.
        dtype: What the matrices are rounded to: "q8_0" or "f16".
        threads: Threads that compute; by default one per core.

    Raises:
        FormatError: A number is not finite, or no neuron fires.
    """
    if fitter == "torch":
        with torch_threads(threads, part.x.shape[1], part.codes.shape[1]):
            reduce, expand, bias = fit_with_torch(part, rank, epochs=epochs, seed=seed)
    else:
        reduce, expand, bias = _core.fit_predictor(
            *_arrays(part), rank=rank, epochs=epochs, seed=seed, threads=threads or 0
        )
    return Predictor(rounded(reduce, dtype), rounded(expand, dtype), bias)


def calibrate(predictor: Predictor, part: Part, recall: float, threads: int | None) -> float:
    """The highest threshold above which `recall` of the activation mass of a part is selected."""
    return _core.find_threshold(
        *_numbers(predictor), *_arrays(part), recall=recall, threads=threads or 0
    )


def measure(predictor: Predictor, threshold: float, part: Part, threads: int | None) -> Quality:
    """What is selected above a threshold, against what fires."""
    shares = _core.measure_predictor(
        *_numbers(predictor), *_arrays(part), threshold=threshold, threads=threads or 0
    )
    return Quality(**shares)


def cost(rank: int, dim: int, hidden: int, n_matrices: int) -> float:
    """The predictor's multiplications, as a share of those of the feed-forward network."""
    return rank * (dim + hidden) / (n_matrices * dim * hidden)


def ranks(dim: int) -> list[int]:
    """What "auto" tries: the paper's small rank (dim / 32), doubling to its large one (dim / 4)."""
    least = max(RANK_UNIT, dim // 32 // RANK_UNIT * RANK_UNIT)
    result = [least]
    while result[-1] * 2 <= max(dim // 4, least):
        result.append(result[-1] * 2)
    return result


def is_worth(cost_before: float, cost_now: float) -> bool:
    """Whether a doubled rank saves clearly more neurons than it costs.

    Costs are of predictor and selected neurons.
    """
    return cost_now < _WORTH * cost_before


def _arrays(part: Part) -> tuple[NDArray[np.float16], NDArray[np.uint8], NDArray[np.float32]]:
    return part.x, part.codes, part.scales


def _numbers(predictor: Predictor) -> tuple[Array, Array, Array]:
    return predictor.reduce, predictor.expand, predictor.bias

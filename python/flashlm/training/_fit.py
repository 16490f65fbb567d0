# SPDX-License-Identifier: Apache-2.0
"""_fit.py: a low-rank predictor for one layer, learned with torch.

From the input x of a feed-forward network it says which neurons will fire: ``expand @ (reduce @ x)
+ bias`` above a threshold. What is calibrated and measured is what will be stored: the rounded
matrices.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flashlm.training._activations import Part
from flashlm.training._predictor import Predictor
from flashlm.training._store import rounded

RANK_UNIT = 32  # a block of q8_0
_BATCH = 128
_CHUNK = 1024  # tokens whose logits are in memory at once
_SMALL_LAYER = 1 << 22  # numbers of a matrix
_WORTH = 0.98  # a doubled rank must bring the cost below this share of what it was


@dataclass(frozen=True)
class Quality:
    """How a predictor does on some tokens. Shares are of a layer's neurons."""

    active: float  # fire
    predicted: float  # are selected
    recall: float  # of those that fire, are selected
    mass_recall: float  # of the sum of their sizes, is selected
    precision: float  # of those that are selected, fire


def require_torch() -> Any:
    """The module, or an error that says how to get it.

    Raises:
        ImportError: torch is missing.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "[train] torch: expected PyTorch, found none. Install it: pip install 'flashlm[train]'."
        ) from error
    return torch


def fit(part: Part, rank: int, *, epochs: int, seed: int, dtype: str) -> Predictor:
    """Learns which neurons fire.

    In its loss those that fire weigh as much as those that do not.

    Of those that fire, large ones weigh more: half of the weight is spread evenly, half by size.

    Args:
        part: What to learn from.
        rank: Numbers between the two matrices.
        epochs: How often each token is seen.
        seed: Of the first weights and the order.
        dtype: What the matrices are rounded to: "q8_0" or "f16".
    """
    torch = require_torch()
    random = torch.Generator().manual_seed(seed)
    n, dim, hidden = len(part.x), part.x.shape[1], part.codes.shape[1]
    rates = _rates(part)
    balance = (1 - rates.mean()) / max(rates.mean(), 1e-6)
    odds = np.clip(rates, 1 / (2 * n), 1 - 1 / (2 * n))
    reduce = torch.randn(rank, dim, generator=random) / dim**0.5
    expand = torch.randn(hidden, rank, generator=random) * (0.1 / rank**0.5)
    bias = torch.from_numpy(np.log(odds / (1 - odds) * balance).astype(np.float32))
    weights = [reduce.requires_grad_(), expand.requires_grad_(), bias.requires_grad_()]
    optimizer = torch.optim.Adam(weights, lr=1e-2, betas=(0.9, 0.99))
    n_steps = epochs * -(-n // _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_steps)
    mean_size = _mean_size(part)
    for _ in range(epochs):
        order = torch.randperm(n, generator=random).numpy()
        for begin in range(0, n, _BATCH):
            rows = np.sort(order[begin : begin + _BATCH])
            x = torch.from_numpy(part.x[rows].astype(np.float32))
            fires = torch.from_numpy((part.codes[rows] > 0).astype(np.float32))
            size = torch.from_numpy(
                np.square(part.codes[rows] / np.float32(255)) * part.scales[rows, None]
            )
            weight = torch.where(fires > 0, 0.5 * balance * (1 + size / mean_size), 1.0)
            logits = x @ reduce.T @ expand.T + bias
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, fires, weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return Predictor(
        rounded(reduce.detach().numpy(), dtype),
        rounded(expand.detach().numpy(), dtype),
        bias.detach().numpy(),
    )


def calibrate(predictor: Predictor, part: Part, recall: float) -> float:
    """The highest threshold above which `recall` of the activation mass of a part is selected."""
    logits, sizes = [], []
    for rows in _chunks(len(part.x)):
        fires = part.codes[rows] > 0
        logits.append(predictor.logits(part.x[rows])[fires])
        sizes.append(part.mass(rows)[fires])
    values, mass = np.concatenate(logits), np.concatenate(sizes).astype(np.float64)
    if len(values) == 0:
        return float(np.finfo(np.float32).max)  # nothing fires, so nothing need be selected
    order = np.argsort(-values, kind="stable")
    total = np.cumsum(mass[order])
    last = min(int(np.searchsorted(total, recall * total[-1])), len(order) - 1)
    return float(np.nextafter(values[order[last]], np.float32(-np.inf)))


def measure(predictor: Predictor, threshold: float, part: Part) -> Quality:
    """What is selected above a threshold, against what fires."""
    active = chosen = both = 0
    mass = found = 0.0
    for rows in _chunks(len(part.x)):
        fires, selected, sizes = (
            part.codes[rows] > 0,
            predictor.logits(part.x[rows]) > threshold,
            part.mass(rows),
        )
        active += int(fires.sum())
        chosen += int(selected.sum())
        both += int((fires & selected).sum())
        mass += float(sizes.sum(dtype=np.float64))
        found += float(sizes[selected].sum(dtype=np.float64))
    n = part.codes.size
    return Quality(
        active=active / n,
        predicted=chosen / n,
        recall=both / active if active else 1.0,
        mass_recall=found / mass if mass else 1.0,
        precision=both / chosen if chosen else 1.0,
    )


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


def _chunks(n: int) -> Iterator[slice]:
    for begin in range(0, n, _CHUNK):
        yield slice(begin, min(begin + _CHUNK, n))


def _rates(part: Part) -> NDArray[np.float64]:
    fired = sum((part.codes[rows] > 0).sum(axis=0, dtype=np.int64) for rows in _chunks(len(part.x)))
    return np.asarray(fired / len(part.x), np.float64)


def _mean_size(part: Part) -> float:
    total, fired = 0.0, 0
    for rows in _chunks(len(part.x)):
        total += float(part.mass(rows).sum(dtype=np.float64))
        fired += int((part.codes[rows] > 0).sum())
    return total / fired if total else 1.0


@contextmanager
def threads(n: int | None, dim: int, hidden: int) -> Iterator[None]:
    """Lets torch compute with so many threads while the block runs.

    None leaves it as it is, or takes one for a small layer, which is done sooner than divided.
    """
    torch = require_torch()
    before = torch.get_num_threads()
    torch.set_num_threads(n or (1 if dim * hidden < _SMALL_LAYER else before))
    try:
        yield
    finally:
        torch.set_num_threads(before)

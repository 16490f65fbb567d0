# SPDX-License-Identifier: Apache-2.0
"""_torch_fit.py: the other way to fit a predictor: with torch, which the extra ``train`` brings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flashlm.training._activations import Part

_BATCH = 128
_CHUNK = 1024  # tokens whose activations are in memory at once
_SMALL_LAYER = 1 << 22  # numbers of a matrix

Arrays = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def require_torch() -> Any:
    """The module, or an error that says how to get it.

    Raises:
        ImportError: torch is missing.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "[train] torch: expected PyTorch, found none. Install it: pip install 'flashlm[train]', or "
            "take the fitter 'eigen', which needs nothing."
        ) from error
    return torch


def fit_with_torch(part: Part, rank: int, *, epochs: int, seed: int) -> Arrays:
    """Fits the loss of the C++ fit (include/flashlm/training) from random numbers, with torch's Adam.

    Args:
        part: What to learn from.
        rank: Numbers between the two matrices.
        epochs: How often each token is seen.
        seed: Of the first weights and the order.

    Returns:
        ``reduce``, ``expand`` and ``bias``, not rounded.
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
    return reduce.detach().numpy(), expand.detach().numpy(), bias.detach().numpy()


@contextmanager
def torch_threads(n: int | None, dim: int, hidden: int) -> Iterator[None]:
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

# SPDX-License-Identifier: Apache-2.0
"""_activations.py: what every neuron did, on disk, a layer at a time.

A number of an activation takes one byte: the square root of its share of the token's largest. So
half of a layer's largest is 180, a thousandth is 8, and only what is exactly zero is 0.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flashlm._core import FormatError

Floats = NDArray[np.floating[Any]]
_HALF_MAX = 65504.0
_KINDS = ("x", "codes", "scales")


class Runner(Protocol):
    """Runs token ids densely, as a text of its own; `flashlm.LanguageModel` has one."""

    def collect(
        self, ids: Sequence[int], on_layer: Callable[[int, Floats, Floats], None], /
    ) -> None:
        """Calls ``on_layer(layer, x, h)`` for every layer: x is [n, dim], h is [n, hidden].

        They are its input and its activations.
        """


@dataclass(frozen=True)
class Part:
    """Some tokens of one layer."""

    x: NDArray[np.float16]  # [n, dim]
    codes: NDArray[np.uint8]  # [n, hidden]
    scales: NDArray[np.float32]  # [n], the largest activation of each token

    def mass(self, rows: slice) -> NDArray[np.float32]:
        """The size of the activations of some tokens."""
        shares = np.square(self.codes[rows].astype(np.float32) / 255)
        return np.asarray(shares * self.scales[rows, None], np.float32)


class ActivationStore:
    """Grows by windows of tokens; what an interruption left half written is cut off.

    Not thread-safe.
    """

    def __init__(self, folder: Path, n_layers: int, dim: int, hidden: int) -> None:
        self._folder, self._n_layers, self._dim, self._hidden = folder, n_layers, dim, hidden
        self._widths = {"x": 2 * dim, "codes": hidden, "scales": 4}  # bytes a token

    def holds(self, n_tokens: int) -> bool:
        """Whether the files have at least so many tokens."""
        paths = (
            (self._path(layer, kind), width)
            for layer in range(self._n_layers)
            for kind, width in self._widths.items()
        )
        return n_tokens == 0 or all(
            path.is_file() and path.stat().st_size >= n_tokens * width for path, width in paths
        )

    def add(self, runner: Runner, windows: Sequence[Sequence[int]], n_done: int) -> Iterator[int]:
        """Runs the windows behind the first `n_done`, and says after each how many are on disk.

        Raises:
            FormatError: An activation is not finite.
        """
        row = sum(map(len, windows[:n_done]))
        with ExitStack() as stack:
            files = {
                (layer, kind): stack.enter_context(self._path(layer, kind).open("ab"))
                for layer in range(self._n_layers)
                for kind in _KINDS
            }
            for (_, kind), file in files.items():
                file.truncate(row * self._widths[kind])

            def keep(layer: int, x: Floats, h: Floats) -> None:
                codes, scales = _encode(layer, h)
                clipped = np.clip(x, -_HALF_MAX, _HALF_MAX).astype(np.float16)
                for kind, values in (("x", clipped), ("codes", codes), ("scales", scales)):
                    files[layer, kind].write(values.tobytes())

            for index in range(n_done, len(windows)):
                runner.collect(windows[index], keep)
                for file in files.values():
                    file.flush()
                yield index + 1

    def sync(self) -> None:
        """Waits until what was added is on the device."""
        for layer in range(self._n_layers):
            for kind in _KINDS:
                with self._path(layer, kind).open("rb") as file:
                    os.fsync(file.fileno())

    def part(self, layer: int, begin: int, end: int) -> Part:
        """The tokens [begin, end) of a layer, read when they are looked at."""
        if begin == end:
            raise ValueError("an empty part")

        def rows(kind: str, dtype: type[np.generic], width: int) -> NDArray[Any]:
            path = self._path(layer, kind)
            size = np.dtype(dtype).itemsize * width
            return np.memmap(path, dtype, "r", offset=begin * size, shape=(end - begin, width))

        scales = np.array(rows("scales", np.float32, 1))[:, 0]
        return Part(rows("x", np.float16, self._dim), rows("codes", np.uint8, self._hidden), scales)

    def _path(self, layer: int, kind: str) -> Path:
        return self._folder / f"activations-{layer:05d}.{kind}"


def _encode(layer: int, h: Floats) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    size = np.abs(h)
    scales = size.max(axis=1)
    if not np.isfinite(scales).all():
        raise FormatError(
            f"[train] activations: expected finite numbers, got {scales[~np.isfinite(scales)][0]} "
            f"(layer {layer}). "
            "Are the weights damaged?"
        )
    shares = size / np.maximum(scales, np.finfo(np.float32).tiny)[:, None]
    codes = np.where(size > 0, np.clip(np.rint(255 * np.sqrt(shares)), 1, 255), 0)
    return codes.astype(np.uint8), scales.astype(np.float32)

# SPDX-License-Identifier: Apache-2.0
"""frequencies.py: the angles of rotary positions, and how they are scaled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from flashlm.packing.graph.parts import Rope


def rope(dims: int, frequencies: Iterable[float], attention_factor: float = 1.0) -> Rope:
    """Rope of halves, its numbers rounded to float32."""
    rounded = tuple(float(np.float32(each)) for each in frequencies)
    return Rope("halves", dims, rounded, float(np.float32(attention_factor)))


# Frequencies in radians a position, [dims / 2], in float64. A scaling that is not here (longrope,
# dynamic, proportional) is a function more, and a row in `Fields.rope` (fields.py), which reads its
# numbers from a config.


def default_frequencies(dims: int, theta: float) -> list[float]:
    """1 / theta ^ (2 i / dims) (arXiv:2104.09864).

    Example:
        >>> default_frequencies(4, 100.0)
        [1.0, 0.1]
    """
    return [1 / theta ** (2 * i / dims) for i in range(dims // 2)]


def linear_frequencies(frequencies: Sequence[float], factor: float) -> list[float]:
    """All of them slower by a factor (transformers, rope type "linear")."""
    return [frequency / factor for frequency in frequencies]


def llama3_frequencies(
    frequencies: Sequence[float], factor: float, low: float, high: float, original_context: float
) -> list[float]:
    """Slow ones slower by a factor, fast ones as they are, a smooth passage between.

    This is rope type "llama3".

    Args:
        frequencies: Not scaled.
        factor: Of those that turn less than ``low`` times in the original context.
        low: As above.
        high: Those that turn more often stay as they are.
        original_context: Positions.
    """
    result = []
    for frequency in frequencies:
        wave = 2 * math.pi / frequency
        if wave > original_context / low:
            result.append(frequency / factor)
        elif wave < original_context / high:
            result.append(frequency)
        else:
            smooth = (original_context / wave - low) / (high - low)
            result.append((1 - smooth) * frequency / factor + smooth * frequency)
    return result


def yarn_frequencies(
    frequencies: Sequence[float],
    theta: float,
    factor: float,
    original_context: float,
    *,
    fast: float = 32.0,
    slow: float = 1.0,
    whole: bool = True,
) -> list[float]:
    """Slow ones slower by a factor, fast ones as they are, a straight passage between.

    This is YaRN (arXiv:2309.00071).

    Args:
        frequencies: Not scaled.
        theta: Their base.
        factor: Of those that turn less than ``slow`` times in the original context.
        original_context: Positions.
        fast: Those that turn more often stay as they are.
        slow: As above.
        whole: Whether the ends of the passage are rounded to whole numbers of frequencies.
    """
    dims = 2 * len(frequencies)

    def turning(times: float) -> float:
        """Which frequency turns so many times."""
        return dims * math.log(original_context / (times * 2 * math.pi)) / (2 * math.log(theta))

    begin, end = turning(fast), turning(slow)
    if whole:
        begin, end = math.floor(begin), math.ceil(end)
    begin, end = max(begin, 0), min(end, dims - 1)
    if begin == end:
        end += 0.001
    slowed = [min(max((at - begin) / (end - begin), 0.0), 1.0) for at in range(len(frequencies))]
    return [
        each / factor * share + each * (1 - share)
        for each, share in zip(frequencies, slowed, strict=True)
    ]


def yarn_attention_factor(factor: float, scale: float = 1.0) -> float:
    """What YaRN multiplies cosines and sines with: 0.1 * scale * ln(factor) + 1.

    Example:
        >>> yarn_attention_factor(1.0)
        1.0
    """
    return 0.1 * scale * math.log(factor) + 1 if factor > 1 else 1.0

# SPDX-License-Identifier: Apache-2.0
"""floors.py: what no program can beat: how fast DRAM and disk give the bytes that a token needs.

Both drift by factors within minutes on shared machines, so they are measured in the same run as what they bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from flashlm import _core

_CHUNKS = [1 << 20, 4 << 20]  # what a stream of weights reads
_DEPTHS = [4, 16]


def memory_bytes_per_second(threads: int, size: int = 1 << 30) -> Callable[[], float]:
    """A function that reads `size` bytes of DRAM once, split among threads, and returns the rate.

    Example:
        >>> flashlm.bench.floors.memory_bytes_per_second(1, size=1 << 20)() > 0
        True
    """
    numbers = np.ones(size // 8)
    parts = np.array_split(numbers, threads)

    def read() -> float:
        start = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(np.max, parts))
        return size / (time.perf_counter() - start)

    return read


def disk_bytes_per_second(path: Path, reader: str = "auto", seconds: float = 1.0) -> tuple[float, bool]:
    """The rate of large reads around the page cache at their best depth, and whether it is the disk's, not the cache's.

    The larger the file the better: disks hold what was just read or written in caches of their own.
    """
    file_bytes = path.stat().st_size
    chunks = [chunk for chunk in _CHUNKS if chunk * min(_DEPTHS) <= file_bytes // 2] or [4096]
    depths = [depth for depth in _DEPTHS if chunks[0] * depth <= file_bytes // 2] or [1]
    probe = _core.probe(path, seconds=seconds, chunk_bytes=chunks, depths=depths, reader=reader, page_cache=True)
    return max(point.bytes_per_second_median for point in probe.points), probe.direct

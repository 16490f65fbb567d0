# SPDX-License-Identifier: Apache-2.0
"""floors.py: what no program can beat: how fast DRAM and disk give the bytes that a token needs.

Both drift by factors within minutes on shared machines, so they are measured in the same run as
what they bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from flashlm import _core
from flashlm._engine.checked_calls import checked
from flashlm._engine.checks import whole
from flashlm._engine.files import io_error
from flashlm._engine.opening_options import MOST_THREADS

_CHUNKS = (256 << 10, 1 << 20, 4 << 20)  # what a stream of weights reads
_DEPTHS = (1, 4, 16)
_PAGE = 4096
_MOST_BYTES = 1 << 40  # of DRAM that is measured


@checked("bench")
def memory_bytes_per_second(threads: int, size: int = 1 << 30) -> Callable[[], float]:
    """A function that reads `size` bytes of DRAM once, split among threads, and returns the rate.

    Example:
        >>> flashlm.bench.floors.memory_bytes_per_second(1, size=1 << 20)() > 0
        True
    """
    threads = whole(threads, "threads", where="bench", least=1, most=MOST_THREADS)
    size = whole(size, "size", where="bench", least=8, most=_MOST_BYTES)
    numbers = np.ones(size // 8)
    parts = np.array_split(numbers, threads)

    def read() -> float:
        start = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(np.max, parts))
        return size / (time.perf_counter() - start)

    return read


@checked("bench")
def disk_bytes_per_second(
    path: Path, reader: str = "auto", seconds: float = 1.0, read_bytes: float | None = None
) -> tuple[float, bool]:
    """The fastest rate of reads around the page cache, and whether it is the disk's.

    If it is not, it is the cache's.

    The larger the file the better: disks hold what was just read or written in caches of their own.

    Args:
        path: The file to read.
        reader: How.
        seconds: How long to measure, about.
        read_bytes: The mean size of the reads that are to be bounded, to measure reads of this size
            too.

    Example:
        >>> file = Path("tiny.flash/resident.safetensors")
        >>> rate, direct = flashlm.bench.floors.disk_bytes_per_second(file)
        >>> rate > 0
        True
    """
    try:
        file_bytes = path.stat().st_size
    except OSError as error:
        raise io_error("read", error, path, "bench") from error
    own = () if read_bytes is None else (max(_PAGE, round(read_bytes / _PAGE) * _PAGE),)
    # At most half of the file is read at once: the probe leaves out the depths for which a size is
    # too large.
    chunks = sorted({chunk for chunk in (*_CHUNKS, *own) if chunk <= file_bytes // 2}) or [
        _largest_page(file_bytes)
    ]
    probe = _core.probe(
        path,
        seconds=seconds,
        chunk_bytes=chunks,
        depths=list(_DEPTHS),
        reader=reader,
        page_cache=True,
    )
    return max(point.bytes_per_second_max for point in probe.points), probe.direct


def _largest_page(file_bytes: int) -> int:
    """The largest power of two, from a page on, that is at most half of a file."""
    size = _PAGE
    while 2 * size <= file_bytes // 2:
        size *= 2
    return size

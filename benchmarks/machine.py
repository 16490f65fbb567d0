# SPDX-License-Identifier: Apache-2.0
"""machine.py: what a benchmark ran on, and how fast its memory and its disk are in the same run.

Figures from different runs do not compare: disks and memory of shared machines drift by factors
within minutes. So every result file carries the floors that were measured between its own rounds.
"""

from __future__ import annotations

import json
import mmap
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from flashlm import _core
from flashlm.bench.floors import memory_bytes_per_second

__all__ = [
    "card",
    "commit",
    "memory_bytes_per_second",
    "read_seconds",
    "spread",
    "today",
    "write_result",
]

_CHUNK = 1 << 20
_O_DIRECT = getattr(os, "O_DIRECT", 0)


def read_seconds(paths: Iterable[Path], threads: int = 4) -> tuple[float, int]:
    """Read whole files around the page cache in chunks of 1 MiB, several at once.

    Returns:
        Seconds, and bytes read: the floor of whatever must come from these files.
    """

    def read(path: Path) -> int:
        buffer = mmap.mmap(-1, _CHUNK)  # page-aligned, as direct I/O demands
        file = os.open(path, os.O_RDONLY | _O_DIRECT)
        done = 0
        try:
            while got := os.preadv(file, [buffer], done):
                done += got
                if got % 512:  # the end of the file
                    break
        finally:
            os.close(file)
        return done

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        total = sum(pool.map(read, paths))
    return time.perf_counter() - start, total


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def card(folder: Path) -> dict[str, Any]:
    """The machine card: processor, memory, the file system of `folder`, kernel, versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    file_system = subprocess.run(
        ["df", "--output=fstype", str(folder)], check=False, capture_output=True, text=True
    ).stdout.split()
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "isa": _core.isa(),
        "dram_bytes": memory,
        "file_system": file_system[-1] if file_system else "unknown",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "flashlm": _core.version,
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, minimum and maximum: a single figure of a shared machine says nothing."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def commit() -> str:
    """What is measured, as git names it."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(git, check=False, capture_output=True, text=True).stdout.strip()


def today() -> str:
    """The date, by UTC."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d")


def write_result(path: Path, folder: Path, rows: list[dict[str, Any]], **facts: Any) -> None:
    """Write a result file: command (without this machine's folders), commit, date, machine card, facts, rows."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    result = {
        "command": " ".join(["python", os.path.relpath(sys.argv[0]), *words]),
        "commit": commit(),
        "date": today(),
        "machine": card(folder),
        **facts,
        "rows": rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")

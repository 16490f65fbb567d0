# SPDX-License-Identifier: Apache-2.0
"""peer_process.py: what every measured process counts of itself, and how it tells the driver.

Standard library only: `peer_llama.py` runs in a Python that has no flashlm.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def counters() -> dict[str, float]:
    """Clock, bytes this process read from devices, major faults, processor time."""
    read = re.search(r"^read_bytes: (\d+)", Path("/proc/self/io").read_text(), re.MULTILINE)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": time.perf_counter(),
        "read_bytes": float(read[1]) if read else float("nan"),
        "major_faults": float(usage.ru_majflt),
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }


def per(before: dict[str, float], n: int) -> dict[str, float]:
    """What it took since `before`, per token."""
    return {name: (value - before[name]) / n for name, value in counters().items()}


def each_timed(step: Callable[[int], Any], ids: Sequence[int]) -> dict[str, Any]:
    """Seconds of every token, and the means of everything that is counted."""
    at = counters()
    seconds = []
    for token in ids:
        start = time.perf_counter()
        step(token)
        seconds.append(time.perf_counter() - start)
    return {"n": len(ids), "token_seconds": seconds, **per(at, len(ids))}


def peak_bytes() -> int:
    """The largest resident size so far."""
    found = re.search(r"^VmHWM:\s*(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def say(step: str, **facts: Any) -> None:
    """One line for the driver."""
    sys.stdout.write(json.dumps({"step": step, **facts}) + "\n")
    sys.stdout.flush()

# SPDX-License-Identifier: Apache-2.0
"""peers_run.py: one process of peers.py under its cap, and the block device below it."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
from memory_cap import MemoryCap, cgroup_version

__all__ = ["Disk", "cgroup_version", "run_child", "tell"]


def tell(line: str) -> None:
    """A line about the run, with its time."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


class Disk:
    """The block device below a folder: its read-ahead, and the page cache above it."""

    def __init__(self, folder: Path) -> None:
        number = folder.stat().st_dev
        self._path = Path(f"/sys/class/bdi/{os.major(number)}:{os.minor(number)}/read_ahead_kb")
        self._before = self._path.read_text().strip() if self._path.is_file() else None
        atexit.register(self.restore)

    @property
    def default(self) -> int:
        """Read-ahead in KiB as it was found."""
        return int(self._before or 128)

    def read_ahead(self, kib: int) -> None:
        """Sets it; what cannot be set stays."""
        if os.access(self._path, os.W_OK):
            self._path.write_text(str(kib))

    def restore(self) -> None:
        """As it was before."""
        if self._before is not None:
            self.read_ahead(int(self._before))

    @staticmethod
    def drop_caches() -> None:
        """Nothing of any file stays in DRAM, so that a cap counts every page."""
        os.sync()
        drop = Path("/proc/sys/vm/drop_caches")
        if os.access(drop, os.W_OK):
            drop.write_text("3")


def run_child(command: list[str], cap_bytes: int | None, limit_seconds: float) -> dict[str, Any]:
    """A measured process: its steps by name, how it ended, and the most that its group held."""
    cap = MemoryCap(cap_bytes) if cap_bytes is not None else None
    start = time.monotonic()
    status = "done"
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            cap.wrap(command) if cap else command, stdout=said, stderr=complaints
        )
        try:
            process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            status = f"stopped after {limit_seconds:.0f} s"
        finally:
            process.kill()
            process.wait()
        seconds = time.monotonic() - start
        said.seek(0)
        complaints.seek(0)
        steps = _steps(said.read())
        if process.returncode == -signal.SIGKILL and status == "done":
            status = "killed by the cap"
        elif process.returncode not in (0, -signal.SIGKILL):
            status = f"exit code {process.returncode}: {complaints.read().strip().rpartition(chr(10))[2][:300]}"
    held = cap.peak_bytes() if cap else None
    if cap:
        _remove(cap)
    return {"status": status, "steps": steps, "held_bytes": held, "seconds": seconds}


def _steps(said: str) -> dict[str, Any]:
    """What the process printed, by step; the last line may be cut short."""
    steps: dict[str, Any] = {}
    for line in said.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        steps[entry.pop("step")] = entry
    return steps


def _remove(cap: MemoryCap) -> None:
    """Removes the group, once the kernel has taken a killed process apart."""
    for _ in range(50):
        try:
            cap.folder.rmdir()
        except OSError:  # noqa: PERF203 - it is the loop's purpose
            time.sleep(0.1)
        else:
            return

# SPDX-License-Identifier: Apache-2.0
"""memory_cap.py: runs a program under a hard limit on its memory, kept by the kernel.

Cgroup version 1 and version 2 both work. A program that goes beyond its limit is killed: that is
the point.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

CGROUP_ROOT = Path("/sys/fs/cgroup")


def cgroup_version(root: Path = CGROUP_ROOT) -> int | None:
    """1 or 2 where this process may make memory groups, else None."""
    if (root / "cgroup.controllers").is_file():
        has_memory = "memory" in (root / "cgroup.controllers").read_text().split()
        return 2 if has_memory and os.access(root, os.W_OK) else None
    if (root / "memory" / "memory.limit_in_bytes").is_file():
        return 1 if os.access(root / "memory", os.W_OK) else None
    return None


class MemoryCap:
    """A group of processes that together may hold `limit_bytes`.

    Example:
        with MemoryCap(1 << 30) as cap:
            done = cap.run(["flashlm", "run", ...])
    """

    def __init__(self, limit_bytes: int, root: Path = CGROUP_ROOT) -> None:
        """Make the group.

        Raises:
            OSError: The kernel refuses, or `root` is no cgroup tree.
        """
        version = cgroup_version(root)
        if version is None:
            raise OSError(f"no writable memory cgroup below {root}")
        self.version = version
        name = f"flashlm-{uuid.uuid4().hex[:8]}"
        self.folder = (root if version == 2 else root / "memory") / name
        if version == 2:
            control = root / "cgroup.subtree_control"
            if "memory" not in control.read_text().split():
                control.write_text("+memory")
        self.folder.mkdir()
        self._write({1: "memory.limit_in_bytes", 2: "memory.max"}[version], limit_bytes)
        # Without this, a program could go beyond its limit by swapping.
        for swap, value in {
            1: ("memory.memsw.limit_in_bytes", limit_bytes),
            2: ("memory.swap.max", 0),
        }.items():
            if swap == version and (self.folder / value[0]).exists():
                self._write(*value)

    def _write(self, name: str, value: int) -> None:
        (self.folder / name).write_text(str(value))

    def wrap(self, command: Sequence[str]) -> list[str]:
        """`command`, run in the group; the limit holds before its first instruction."""
        return [
            "sh",
            "-c",
            'echo $$ > "$0" && exec "$@"',
            str(self.folder / "cgroup.procs"),
            *command,
        ]

    def start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Begin `command` in the group, with pipes to and from it."""
        enter = 'echo $$ > "$0" && exec "$@"'
        procs = str(self.folder / "cgroup.procs")
        pipe = subprocess.PIPE
        return subprocess.Popen(
            ["sh", "-c", enter, procs, *command], stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def lower_to_what_is_held(self, spare_bytes: int) -> None:
        """Let the group keep what its processes hold, page cache left out, and so much more."""
        usage = int(
            (
                self.folder / {1: "memory.usage_in_bytes", 2: "memory.current"}[self.version]
            ).read_text()
        )
        stat = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
        cache = int(stat["inactive_file"]) + int(stat["active_file"])
        self._write(
            {1: "memory.limit_in_bytes", 2: "memory.max"}[self.version], usage - cache + spare_bytes
        )

    def run(
        self, command: Sequence[str], timeout: float = 1800
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` in the group."""
        return subprocess.run(
            self.wrap(command), check=False, capture_output=True, text=True, timeout=timeout
        )

    def peak_bytes(self) -> int | None:
        """The most that the group has held so far, page cache included.

        It is None where the kernel does not count it.
        """
        path = self.folder / {1: "memory.max_usage_in_bytes", 2: "memory.peak"}[self.version]
        return int(path.read_text()) if path.exists() else None

    def __enter__(self) -> Self:
        """Return the group."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the group."""
        self.folder.rmdir()

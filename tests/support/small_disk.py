# SPDX-License-Identifier: Apache-2.0
"""small_disk.py: a file system that is soon full, or cannot be written."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size in DRAM, such as "256k", in a new folder; skips where none can be mounted."""
    folder.mkdir()
    _mount(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def make_read_only(folder: Path) -> None:
    """Forbids writing to a file system that `mounted` made, for everybody."""
    _mount(folder, "-o", "remount,ro")


def _mount(folder: Path, *options: str) -> None:
    done = subprocess.run(["mount", *options, folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted: {done.stderr.decode().strip()}")

# SPDX-License-Identifier: Apache-2.0
"""small_disk.py: file systems that are soon full or cannot be written.

Others live in memory, or lie over another.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size in DRAM, such as "256k", in a new folder.

    The test is skipped where none can be mounted.
    """
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        yield folder


@contextlib.contextmanager
def overlaid(folder: Path, lower: Path, upper: Path) -> Iterator[Path]:
    """A file system in a new folder that shows `lower`; what is written there goes below `upper`, a folder of another.

    Skips where none can be mounted.
    """
    above, work = upper / "above", upper / "work"
    above.mkdir()
    work.mkdir()
    layers = f"lowerdir={lower},upperdir={above},workdir={work}"
    with _mounted(folder, "-t", "overlay", "-o", layers, "overlay"):
        yield folder


def make_read_only(folder: Path) -> None:
    """Forbids writing to a file system that `mounted` made, for everybody."""
    _mount(folder, "-o", "remount,ro")


@contextlib.contextmanager
def _mounted(folder: Path, *options: str) -> Iterator[None]:
    folder.mkdir()
    _mount(folder, *options)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _mount(folder: Path, *options: str) -> None:
    done = subprocess.run(["mount", *options, folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted: {done.stderr.decode().strip()}")

# SPDX-License-Identifier: Apache-2.0
"""peers_cases.py: what peers.py measures: weights of a shape and number format, in an amount of memory."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flashlm import bench
from flashlm.bench.synthetic import synthetic_source

sys.path.insert(0, str(Path(__file__).resolve().parent))
from peers_run import cgroup_version, tell

QUANTISED = ("q8_0", "q4_0")


@dataclass(frozen=True)
class Case:
    """One number format of one shape in one amount of memory; `cap` in percent of the weights, None without a cap."""

    shape: str
    dtype: str
    cap: int | None

    @property
    def shape_name(self) -> str:
        """A named shape's name; of a config.json, its folder's."""
        return self.shape if not self.shape.endswith(".json") else Path(self.shape).parent.name

    @property
    def name(self) -> str:
        """As in the result file."""
        return f"{self.shape_name} {self.dtype} {'resident' if self.cap is None else f'cap {self.cap} %'}"


class Models:
    """The weights on disk, in both forms, made when they are first used."""

    def __init__(self, folder: Path, cases: Sequence[Case]) -> None:
        self.folder = folder
        self._cases = cases

    def need(self, case: Case) -> tuple[Path, Path]:
        """The packed folder and the GGUF."""
        packed, gguf = self._paths(case)
        missing = [path for path in (packed, gguf) if not path.exists()]
        if missing:
            self._make_room(len(missing) * weight_bytes(case) + (2 << 30), case)
            tell(f"writing {', '.join(path.name for path in missing)}")
        if packed in missing:
            bench.synthesize(case.shape, packed, dtype=case.dtype)
        if gguf in missing:
            bench.export(case.shape, gguf, "gguf", dtype=case.dtype)
        return packed, gguf

    def _paths(self, case: Case) -> tuple[Path, Path]:
        packed, gguf = (
            self.folder / f"{case.shape_name}-{case.dtype}.{end}" for end in ("flash", "gguf")
        )
        return packed, gguf

    def _make_room(self, n_bytes: int, wanted: Case) -> None:
        for case in reversed(self._cases):
            if (
                self._paths(case) != self._paths(wanted)
                and shutil.disk_usage(self.folder).free < n_bytes
            ):
                self.remove(case)

    def remove(self, case: Case) -> None:
        """Both forms."""
        for path in self._paths(case):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Of every case."""
        for case in self._cases:
            self.remove(case)


def weight_bytes(case: Case) -> int:
    """Of all tensors."""
    return sum(
        w.n_rows * w.row_bytes for w in synthetic_source(case.shape, case.dtype).weights.values()
    )


def needed_bytes(case: Case) -> int:
    """What a token takes from DRAM at least: all weights, but of an untied embedding only a row."""
    source = synthetic_source(case.shape, case.dtype)
    embedding = source.weights["embedding"]
    return weight_bytes(case) - (
        0 if source.graph.head.tied else (embedding.n_rows - 1) * embedding.row_bytes
    )


def cases_of(arguments: argparse.Namespace) -> list[Case]:
    """What matters most comes first: half the memory and resident of each format, small shapes, then the other caps."""
    caps = sorted(arguments.caps, key=lambda cap: (cap != 50, cap))
    first, shape = caps[:1], arguments.shape
    cases = []
    for dtype in arguments.dtype:
        cases += [*(Case(shape, dtype, cap) for cap in first), Case(shape, dtype, None)]
    cases += [Case(small, dtype, None) for small in arguments.small for dtype in arguments.dtype]
    cases += [Case(shape, dtype, cap) for dtype in arguments.dtype for cap in caps[1:]]
    if not arguments.resident:
        cases = [case for case in cases if case.cap is not None]
    if cgroup_version() is None:
        tell("no writable memory cgroup: cases with a cap are left out")
        cases = [case for case in cases if case.cap is None]
    return cases

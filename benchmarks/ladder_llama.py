# SPDX-License-Identifier: Apache-2.0
"""ladder_llama.py: llama.cpp beside the ladder's rows, with all its weights in DRAM and under the same cap.

llama.cpp has no OPT. Its side is a shape of about the same size that it has, with random weights of
the same type.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flashlm import bench
from flashlm.bench.synthetic import synthetic_source

sys.path.insert(0, str(Path(__file__).resolve().parent))
from ladder_result import LLAMA, LLAMA_CAPPED, Row, usable
from machine import spread
from peers_run import Disk, run_child, tell

HERE = Path(__file__).resolve().parent
N_COMPARED = 2
TOGETHER = 900  # seconds: runs that lie further apart were not alternated


class Llama:
    """llama.cpp's model, and one process of it."""

    def __init__(self, python: str, shape: str, dtype: str, work: Path, disk: Disk) -> None:
        self.python, self.shape, self.dtype, self.disk = python, shape, dtype, disk
        source = synthetic_source(shape, dtype)
        self.weight_bytes = sum(
            weight.n_rows * weight.row_bytes for weight in source.weights.values()
        )
        self.vocab_size = source.graph.vocab_size
        self.gguf = work / f"{source.name.split(',', maxsplit=1)[0]}-{dtype}.gguf"

    def make_model(self) -> None:
        """The GGUF, unless it is there."""
        if self.gguf.exists():
            return
        free = shutil.disk_usage(self.gguf.parent).free
        if free < self.weight_bytes + (1 << 30):
            sys.exit(
                f"{free / 1e9:.1f} GB free, llama.cpp's model takes {self.weight_bytes / 1e9:.1f} "
                f"GB"
            )
        tell(f"writing {self.weight_bytes / 1e9:.1f} GB to {self.gguf}")
        bench.export(self.shape, self.gguf, "gguf", dtype=self.dtype)

    def run(
        self, job: Mapping[str, Any], n: int, cap: int | None, read_ahead: int, limit: float
    ) -> dict[str, Any]:
        """A process that decodes `n` tokens, in the form of the other rows; `job` has context, threads and logits."""
        Disk.drop_caches()
        ids = [token % self.vocab_size for token in range(1, 3 * (n + 16), 3)]
        capped = cap is not None
        wish = {
            "model": str(self.gguf),
            "context": job["context"],
            "threads": job["threads"],
            "ids": ids,
            "repack": not capped,  # a copy of the weights, which no cap below them allows
            "warm": not capped,
            "steps": [
                ["compare", ids[:N_COMPARED], job["logits"]],
                ["decode", 0 if capped else 2, n],
            ],
        }
        self.disk.read_ahead(read_ahead)
        try:
            run = run_child(
                [self.python, str(HERE / "peer_llama.py"), json.dumps(wish)], cap, limit
            )
        finally:
            self.disk.restore()
        if "compare" in run["steps"]:
            found = Path(job["logits"]).read_bytes()
            run["steps"]["compare"]["sha256"] = hashlib.sha256(found).hexdigest()
        if decode := run["steps"].get("decode"):
            decode["bytes_read"] = decode.pop("read_bytes")
            decode["device"] = {name: decode.pop(name) for name in ("major_faults", "cpu_seconds")}
        return {**run, "cap_bytes": cap, "options": {"read_ahead_kib": read_ahead}, "disk": None}

    def fastest(
        self, job: Mapping[str, Any], cap: int, read_aheads: Sequence[int], limit: float
    ) -> int:
        """The read-ahead, in KiB, with which a token under the cap comes soonest."""
        if len(read_aheads) == 1:
            return read_aheads[0]
        seconds = {}
        for kib in read_aheads:
            run = self.run(job, 1, cap, kib, limit)
            seconds[kib] = run["steps"]["decode"]["seconds"] if usable(run) else float("inf")
            tell(f"{LLAMA_CAPPED.name}: {seconds[kib]:.2f} s/token with a read-ahead of {kib} KiB")
        return min(seconds, key=lambda kib: seconds[kib])


def llama_rows_of(
    row: Row, runs: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The rows of the result file that tell of llama.cpp."""
    runs = [run for run in runs if usable(run)]
    if not runs:
        return []
    parts = [run["steps"]["decode"] for run in runs]
    dram = facts["best_dram_bytes_per_second"]
    floor = facts["llama_weight_bytes"] / dram if dram else None
    values = {
        "seconds_per_token": (
            "s",
            [seconds for part in parts for seconds in part["token_seconds"]],
            floor,
        ),
        "mean_seconds_per_token": (
            "s",
            [statistics.mean(part["token_seconds"]) for part in parts],
            None,
        ),
        "bytes_per_token": ("B", [part["bytes_read"] for part in parts], None),
    }
    if held := [run["held_bytes"] for run in runs if run["held_bytes"]]:
        values["held_bytes"] = ("B", held, None)
    return [
        {
            "case": row.name,
            "metric": metric,
            "unit": unit,
            **spread(measured),
            "floor": floor,
            "peer": None,
        }
        | {"paper": None}
        for metric, (unit, measured, floor) in values.items()
    ]


def ratios_of(
    rows: Sequence[Row], runs: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """How many times llama.cpp's time flashlm takes, or the reverse, in the same rounds of one run."""
    result = []
    for row in rows:
        for peer, metric in (
            (LLAMA, "time_over_llama_resident"),
            (LLAMA_CAPPED, "llama_capped_over_time"),
        ):
            pairs = [
                (_middle(ours), _middle(theirs))
                for ours, theirs in zip(
                    runs.get(row.name, ()), runs.get(peer.name, ()), strict=False
                )
                if usable(ours)
                and usable(theirs)
                and abs(ours["started"] - theirs["started"]) < TOGETHER
            ]
            ratios = [ours / theirs if peer is LLAMA else theirs / ours for ours, theirs in pairs]
            if ratios and row.program != LLAMA.program:
                entry = {"case": row.name, "metric": metric, "unit": "1", **spread(ratios)}
                result.append({**entry, "floor": None, "peer": None, "paper": None})
    return result


def _middle(run: Mapping[str, Any]) -> float:
    return statistics.median(run["steps"]["decode"]["token_seconds"])

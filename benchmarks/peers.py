# SPDX-License-Identifier: Apache-2.0
"""peers.py: flashlm against llama.cpp: the same random weights, threads and hard cap on memory, in one run.

    python benchmarks/peers.py --llama-python .venv-peers/bin/python
    python benchmarks/peers.py --shape smollm2-1.7b --dtype f16 --caps 50 --quick

Needs root for the caps (memory cgroups), for dropping caches and for the disk's read-ahead; llama-cpp-python in the
Python that --llama-python names; and disk for the weights twice. A case is what one cap C gives: the same cgroup limit
for both programs, caches dropped first; flashlm is given memory = C - import floor - 64 MiB, in bytes. "resident" has
no cap and warm weights. Rounds are interleaved: probe of disk and DRAM, flashlm, llama.cpp, and again. Outputs are
compared before any time counts. llama.cpp runs with mmap and, under a cap, with the best of several read-ahead sizes,
which are tried in the first round. The result file is written after every process; the same command goes on with
the cases that are not done. Files are made as they are needed, and removed at the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import bench, home
from flashlm.bench.floors import disk_bytes_per_second, memory_bytes_per_second
from flashlm.bench.synthetic import synthetic_source

sys.path.insert(0, str(Path(__file__).resolve().parent))
from machine import write_result
from peers_result import best_setting, draw, print_table, rows_of
from peers_run import Disk, cgroup_version, run_child, tell

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "peers.json"
MIB = 1 << 20
SLACK = 64 * MIB
COMPARE_IDS = 8
# Root mean square of the difference of logits over that of the logits. llama.cpp rounds activations to f16 beside f16
# weights, to bf16 beside bf16 and to q8_0 beside blocks; flashlm keeps them in f32.
TOLERANCE = {"f32": 0.01, "f16": 0.02, "bf16": 0.06, "q8_0": 0.1, "q4_0": 0.15}
LEAST_TOP_1 = 0.6


@dataclass(frozen=True)
class Case:
    """One number format in one amount of memory; `cap` in percent of the weights, None without a cap."""

    dtype: str
    cap: int | None

    @property
    def name(self) -> str:
        """As in the result file."""
        return f"{self.dtype} {'resident' if self.cap is None else f'cap {self.cap} %'}"


class Models:
    """The weights on disk, in both forms, made when they are first used."""

    def __init__(self, shape: str, folder: Path, cases: Sequence[Case]) -> None:
        self.shape, self.folder = shape, folder
        self._dtypes = list(dict.fromkeys(case.dtype for case in cases))

    def weight_bytes(self, dtype: str) -> int:
        """Of all tensors."""
        return sum(w.n_rows * w.row_bytes for w in synthetic_source(self.shape, dtype).weights.values())

    def need(self, dtype: str) -> tuple[Path, Path]:
        """The packed folder and the GGUF."""
        packed, gguf = (self.folder / f"{Path(self.shape).name}-{dtype}.{end}" for end in ("flash", "gguf"))
        missing = [path for path in (packed, gguf) if not path.exists()]
        if missing:
            self._make_room(len(missing) * self.weight_bytes(dtype) + (2 << 30), dtype)
            tell(f"writing {', '.join(path.name for path in missing)}")
        if packed in missing:
            bench.synthesize(self.shape, packed, dtype=dtype)
        if gguf in missing:
            bench.export(self.shape, gguf, "gguf", dtype=dtype)
        return packed, gguf

    def _make_room(self, n_bytes: int, wanted: str) -> None:
        for dtype in reversed(self._dtypes):
            if dtype != wanted and shutil.disk_usage(self.folder).free < n_bytes:
                self.remove(dtype)

    def remove(self, dtype: str) -> None:
        """Both forms of a number format."""
        for path in self.folder.glob(f"*-{dtype}.*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


class Peers:
    """The run: settings, disk, files and what was measured so far."""

    def __init__(self, arguments: argparse.Namespace, cases: Sequence[Case]) -> None:
        self.arguments = arguments
        self.cases = cases
        self.folder = Path(arguments.folder or home.home() / "peers")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.disk = Disk(self.folder)
        self.models = Models(arguments.shape, self.folder, cases)
        self.end = time.monotonic() + 60 * arguments.minutes
        self.done: dict[str, Any] = {}
        if arguments.output.is_file() and not arguments.again:
            before = json.loads(arguments.output.read_text())
            if before.get("shape") == arguments.shape and before.get("threads") == arguments.threads:
                self.done = before["runs"]
        vocab_size = synthetic_source(arguments.shape).config.vocab_size
        self.ids = np.random.default_rng(0).integers(0, vocab_size, 1100).tolist()
        self.floor = 0

    def late(self) -> bool:
        """Whether no more rounds are to start."""
        return time.monotonic() > self.end

    def import_floor(self) -> int:
        """What a process holds that has imported flashlm and nothing else."""
        if not self.floor:
            found = run_child([sys.executable, str(HERE / "peer_flashlm.py"), "--floor"], None, 60)
            self.floor = int(found["steps"]["floor"]["peak_bytes"])
        return self.floor

    def measure(self, case: Case) -> None:
        """All rounds of a case; written down after each process."""
        packed, gguf = self.models.need(case.dtype)
        weights = self.models.weight_bytes(case.dtype)
        cap = None if case.cap is None else weights * case.cap // 100
        memory: str | int = "100%" if cap is None else cap - self.import_floor() - SLACK
        record: dict[str, Any] = {
            "status": "unfinished",
            "weight_bytes": weights,
            "cap_bytes": cap,
            "flashlm_memory": memory,
            "import_floor_bytes": self.floor,
            "probes": [],
            "flashlm": [],
            "llama.cpp": [],
        }
        self.done[case.name] = record
        if isinstance(memory, int) and memory <= 0:
            record["status"] = "the cap is below the import floor + 64 MiB"
            return
        settings = self._settings(case)
        for number in range(self.arguments.rounds):
            if self.late():
                return
            record["probes"].append(self._probe(gguf))
            steps = self._steps(case, first=number == 0)
            record["flashlm"].append(self._flashlm(case, packed, memory, cap, steps["flashlm"]))
            self.save()
            if number == 0 and "compare" not in record["flashlm"][0]["steps"]:
                record["status"] = f"flashlm gave no logits: {record['flashlm'][0]['status']}"
                return
            for setting in settings:
                chosen = steps["llama" if len(settings) == 1 else "llama, to choose"]
                record["llama.cpp"].append(self._llama(case, gguf, setting, cap, chosen))
                self.save()
            if number == 0:
                problem = self._compare(case, record)
                if problem:
                    record["status"] = problem
                    tell(f"{case.name}: {problem}")
                    return
                settings = [best_setting(record["llama.cpp"], settings)]
                record["llama_setting"] = settings[0]
        record["probes"].append(self._probe(gguf))
        record["status"] = "done"

    def _settings(self, case: Case) -> list[dict[str, Any]]:
        """What llama.cpp is tried with. Repacking makes a copy of the weights, which no cap below them allows."""
        if case.cap is None:
            return [{"read_ahead_kib": self.disk.default, "repack": True}]
        best = self._best_of_another(case)
        sizes = self.arguments.read_ahead if best is None else [best]
        return [{"read_ahead_kib": size, "repack": False} for size in sizes]

    def _job(self, case: Case, model: Path, steps: list[list[Any]], **more: Any) -> str:
        context = 2048 if case.cap is None else 512
        common = {"context": context, "threads": self.arguments.threads, "ids": self.ids}
        return json.dumps({**common, "model": str(model), "steps": steps, **more})

    def _flashlm(
        self, case: Case, packed: Path, memory: str | int, cap: int | None, steps: list[list[Any]]
    ) -> dict[str, Any]:
        if cap is not None:
            self.disk.drop_caches()
        job = self._job(case, packed, steps, memory=memory)
        return self._child(case, "flashlm", [sys.executable, str(HERE / "peer_flashlm.py"), job], cap, {})

    def _llama(
        self, case: Case, gguf: Path, setting: dict[str, Any], cap: int | None, steps: list[list[Any]]
    ) -> dict[str, Any]:
        self.disk.read_ahead(setting["read_ahead_kib"])
        if cap is not None:
            self.disk.drop_caches()
        job = self._job(case, gguf, steps, repack=setting["repack"], warm=cap is None)
        try:
            command = [self.arguments.llama_python, str(HERE / "peer_llama.py"), job]
            return self._child(case, "llama.cpp", command, cap, setting)
        finally:
            self.disk.restore()

    def _best_of_another(self, case: Case) -> int | None:
        """The read-ahead that was best for the same weights under another cap."""
        for name, record in self.done.items():
            if name.startswith(f"{case.dtype} cap") and name != case.name and record["status"] == "done":
                return int(record["llama_setting"]["read_ahead_kib"])
        return None

    def _steps(self, case: Case, *, first: bool) -> dict[str, list[list[Any]]]:
        """What each program does in a round."""
        quick = self.arguments.quick
        compare = {
            name: [["compare", self.ids[:COMPARE_IDS], str(self._logits(name))]] if first else [] for name in "ab"
        }
        if case.cap is None:
            n = 16 if quick else 32
            long = [["prefill", 1024]] if first or not quick else []
            rest = [["decode", 2, n], ["prefill", 128], *long]
            return {"flashlm": compare["a"] + rest, "llama": compare["b"] + rest}
        rest = [["decode", 1, 3 if quick else 6], ["prefill", 128]]
        short = [["decode", 0 if first else 1, 1 if quick else 2]]
        llama = [["decode", 1, 2 if quick else 3], ["prefill", 128]]
        return {"flashlm": compare["a"] + rest, "llama": compare["b"] + llama, "llama, to choose": compare["b"] + short}

    def _logits(self, name: str) -> Path:
        return self.folder / f"logits-{name}.bin"

    def _compare(self, case: Case, record: dict[str, Any]) -> str:
        """Empty if both programs compute the same; else what differs. Times of different functions mean nothing."""
        paths = [self._logits("a"), self._logits("b")]
        if not any("compare" in run["steps"] for run in record["llama.cpp"]):
            return f"llama.cpp gave no logits: {record['llama.cpp'][0]['status']}"
        ours, theirs = (np.fromfile(path, np.float32).reshape(COMPARE_IDS, -1) for path in paths)
        for path in paths:
            path.unlink()
        error = float(np.sqrt(np.mean((ours - theirs) ** 2)) / np.sqrt(np.mean(theirs**2)))
        top = float(np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1)))
        record["comparison"] = {"relative_rms": error, "top_1": top, "tolerance": TOLERANCE[case.dtype]}
        tell(f"{case.name}: logits differ by {error:.2%}, {top:.0%} of the likeliest tokens agree")
        agrees = error <= TOLERANCE[case.dtype] and top >= LEAST_TOP_1
        return "" if agrees else f"the outputs differ: {error:.2%}, {top:.0%} of the likeliest tokens agree"

    def _child(
        self, case: Case, program: str, command: list[str], cap: int | None, setting: dict[str, Any]
    ) -> dict[str, Any]:
        result = {**run_child(command, cap, self.arguments.limit), "setting": setting}
        decode = result["steps"].get("decode")
        shown = f"{decode['seconds']:.3f} s/token, {decode['read_bytes'] / 1e9:.2f} GB/token" if decode else ""
        tell(f"{case.name} {program} {setting or ''} {result['status']} in {result['seconds']:.0f} s {shown}")
        return result

    def _probe(self, gguf: Path) -> dict[str, Any]:
        """What disk and DRAM can do now. The file is a large one, so that no cache of the disk's holds much of it."""
        rate, direct = disk_bytes_per_second(gguf, seconds=2.0)
        read = memory_bytes_per_second(self.arguments.threads, 512 * MIB)
        return {"disk": rate, "direct": direct, "dram": max(read() for _ in range(5))}

    def save(self) -> None:
        """The result file, as far as it is."""
        rows = [row for case in self.done for row in rows_of(case, self.done[case])]
        write_result(
            self.arguments.output,
            self.folder,
            rows,
            shape=self.arguments.shape,
            threads=self.arguments.threads,
            note="random weights; floor = max(bytes read / best disk rate, weights / best DRAM rate) of the case's "
            "probes; llama.cpp with mmap, its best read-ahead under a cap, caches dropped first",
            runs=self.done,
        )


def cases_of(arguments: argparse.Namespace) -> list[Case]:
    """What matters most comes first: half the memory and resident of each format, then the other caps."""
    caps = sorted(arguments.caps, key=lambda cap: (cap != 50, cap))
    first = caps[:1]
    cases = [Case(dtype, cap) for dtype in arguments.dtype for cap in (first if dtype == arguments.dtype[0] else [])]
    for dtype in arguments.dtype:
        cases += [Case(dtype, None), *(Case(dtype, cap) for cap in first)]
    cases += [Case(dtype, cap) for dtype in arguments.dtype for cap in caps[1:]]
    if cgroup_version() is None:
        tell("no writable memory cgroup: cases with a cap are left out")
        cases = [case for case in cases if case.cap is None]
    return list(dict.fromkeys(cases))


def main() -> None:
    """Run what is missing, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="llama-2-7b")
    parser.add_argument("--dtype", type=lambda text: text.split(","), default=["f16", "q8_0", "q4_0"])
    parser.add_argument("--caps", type=lambda text: [int(cap) for cap in text.split(",") if cap], default=[25, 50, 75])
    parser.add_argument("--quick", action="store_true", help="fewer tokens and rounds")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--read-ahead", type=lambda text: [int(n) for n in text.split(",")], default=[8192, 512, 128])
    parser.add_argument("--limit", type=float, default=240, help="seconds for one process")
    parser.add_argument("--minutes", type=float, default=600, help="starts no round after so many")
    parser.add_argument("--llama-python", default=sys.executable, help="a Python that has llama-cpp-python")
    parser.add_argument("--folder", help="for the weights; by default peers in FLASHLM_HOME")
    parser.add_argument("--keep", action="store_true", help="leaves the weights there")
    parser.add_argument("--again", action="store_true", help="measures again what the result file has")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 3)

    cases = cases_of(arguments)
    peers = Peers(arguments, cases)
    try:
        for case in cases:
            if peers.done.get(case.name, {}).get("status") == "done":
                continue
            if peers.late():
                tell(f"{case.name}: no time left; the same command goes on from here")
                break
            try:
                peers.measure(case)
            finally:
                peers.save()
    finally:
        peers.disk.restore()
        if not arguments.keep:
            for dtype in arguments.dtype:
                peers.models.remove(dtype)
    result = json.loads(arguments.output.read_text())
    print_table(result)
    try:
        draw(result, arguments.output.with_suffix(".png"))
    except ImportError:
        tell("no picture: matplotlib is missing")


if __name__ == "__main__":
    main()

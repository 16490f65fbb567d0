# SPDX-License-Identifier: Apache-2.0
"""peers.py: flashlm against llama.cpp: the same random weights, threads and hard cap on memory, in one run.

    python benchmarks/peers.py --llama-python .venv-peers/bin/python
    python benchmarks/peers.py --dtype f16 --caps 50 --quick --minutes 4

Needs root for the caps (memory cgroups), for dropping caches and for the disk's read-ahead;
llama-cpp-python in the Python that --llama-python names; and disk for the weights twice. A case is
what one cap C gives: the same cgroup limit for both programs, caches dropped first; flashlm is
given memory = C - import floor - 64 MiB, in bytes. "resident" has no cap and warm weights. Rounds
are interleaved: probe of disk and DRAM, flashlm, llama.cpp, and again. Outputs are compared before
any time counts. llama.cpp runs with mmap and, under a cap, with the best of several read-ahead
sizes, which are tried once for each shape. By default it copies blocks of weights into another
order, which no cap below the weights allows: under a cap that is off, and tried once to say what it
does. The result file is written after every process and keeps the cases of other runs; the same
command goes on with those that are not done. Files are made as they are needed, and removed at the
end.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import home
from flashlm.bench.floors import disk_bytes_per_second, memory_bytes_per_second
from flashlm.bench.synthetic import synthetic_source

sys.path.insert(0, str(Path(__file__).resolve().parent))
from machine import commit, today, write_result
from peers_cases import QUANTISED, Case, Models, cases_of, needed_bytes, weight_bytes
from peers_result import best_setting, draw, print_table, rows_of
from peers_run import Disk, run_child, tell

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "peers.json"
MIB = 1 << 20
SLACK = 64 * MIB
COMPARE_IDS = 8
LONG = 256  # tokens: of longer prompts one round is enough where time is short
# Root mean square of the difference of logits over that of the logits. llama.cpp rounds activations
# to f16 beside f16 weights and to bf16 beside bf16, where flashlm keeps them in f32; beside blocks
# both round to 8 bits.
TOLERANCE = {"f32": 0.01, "f16": 0.02, "bf16": 0.06, "q8_0": 0.1, "q4_0": 0.15}
LEAST_TOP_1 = 0.6


class Peers:
    """The run: settings, disk, files and what was measured so far."""

    def __init__(self, arguments: argparse.Namespace, cases: Sequence[Case]) -> None:
        self.arguments = arguments
        self.cases = cases
        self.folder = Path(arguments.folder or home.home() / "peers")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.disk = Disk(self.folder)
        self.models = Models(self.folder, cases)
        self.end = time.monotonic() + 60 * arguments.minutes
        self.done: dict[str, Any] = {}
        if arguments.output.is_file():
            self.done = json.loads(arguments.output.read_text())["runs"]
        self.floor = 0

    def is_done(self, case: Case) -> bool:
        """Whether the result file has the case, with these settings."""
        record = self.done.get(case.name, {})
        return record.get("status") == "done" and record["threads"] == self.arguments.threads

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
        """All rounds of a case; what an earlier run found stays until they are done."""
        before = self.done.get(case.name)
        record: dict[str, Any] = {
            "status": "unfinished",
            "commit": commit(),
            "date": today(),
            "shape": case.shape_name,
            "dtype": case.dtype,
            "threads": self.arguments.threads,
            "weight_bytes": weight_bytes(case),
            "needed_bytes": needed_bytes(case),
            "probes": [],
            "flashlm": [],
            "llama.cpp": [],
        }
        self.done[case.name] = record
        try:
            self._rounds(case, record)
        finally:
            if record["status"] == "unfinished" and before and before["status"] == "done":
                self.done[case.name] = before

    def _rounds(self, case: Case, record: dict[str, Any]) -> None:
        packed, gguf = self.models.need(case)
        cap = None if case.cap is None else record["weight_bytes"] * case.cap // 100
        memory: str | int = "100%" if cap is None else cap - self.import_floor() - SLACK
        record |= {"cap_bytes": cap, "flashlm_memory": memory, "import_floor_bytes": self.floor}
        if isinstance(memory, int) and memory <= 0:
            record["status"] = "the cap is below the import floor + 64 MiB"
            return
        self.ids = np.random.default_rng(0).integers(0, self._vocab_size(case), 1100).tolist()
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
                if case.dtype in QUANTISED and case.cap == self.arguments.caps[0]:
                    setting = {**settings[0], "repack": True}
                    record["llama_repacking"] = self._llama(
                        case, gguf, setting, cap, [["decode", 0, 1]], limit=60
                    )
        record["probes"].append(self._probe(gguf))
        record["status"] = "done"

    @staticmethod
    def _vocab_size(case: Case) -> int:
        return int(synthetic_source(case.shape).graph.vocab_size)

    def _settings(self, case: Case) -> list[dict[str, Any]]:
        """What llama.cpp is tried with.

        Repacking makes a copy of the weights, which no cap below them allows.
        """
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
        self.disk.drop_caches()  # without a cap too: DRAM holds only one program's weights
        job = self._job(case, packed, steps, memory=memory)
        return self._child(
            case, "flashlm", [sys.executable, str(HERE / "peer_flashlm.py"), job], cap, {}
        )

    def _llama(
        self,
        case: Case,
        gguf: Path,
        setting: dict[str, Any],
        cap: int | None,
        steps: list[list[Any]],
        *,
        limit: float | None = None,
    ) -> dict[str, Any]:
        self.disk.read_ahead(setting["read_ahead_kib"])
        if cap is not None:
            self.disk.drop_caches()
        job = self._job(case, gguf, steps, repack=setting["repack"], warm=cap is None)
        try:
            command = [self.arguments.llama_python, str(HERE / "peer_llama.py"), job]
            return self._child(case, "llama.cpp", command, cap, setting, limit=limit)
        finally:
            self.disk.restore()

    def _best_of_another(self, case: Case) -> int | None:
        """The read-ahead that was best for the same shape in another case of today."""
        for name, record in self.done.items():
            same = (record["shape"], record["date"]) == (case.shape_name, today())
            if same and name != case.name and record.get("cap_bytes") and "llama_setting" in record:
                return int(record["llama_setting"]["read_ahead_kib"])
        return None

    def _steps(self, case: Case, *, first: bool) -> dict[str, list[list[Any]]]:
        """What each program does in a round."""
        quick = self.arguments.quick
        compare = {
            name: [["compare", self.ids[:COMPARE_IDS], str(self._logits(name))]] if first else []
            for name in "ab"
        }
        if case.cap is None:
            n = 16 if quick else 32
            prompts = [
                ["prefill", n] for n in self.arguments.prefill if first or n <= LONG or not quick
            ]
            rest = [["decode", 2, n], *prompts]
            return {"flashlm": compare["a"] + rest, "llama": compare["b"] + rest}
        # The target of prompts is at the first cap alone; at the others they would tell nothing
        # else.
        prompts = [
            ["prefill", n]
            for n in self.arguments.prefill
            if n <= LONG and case.cap == self.arguments.caps[0]
        ]
        rest = [["decode", 1, 4 if quick else 6], *prompts]
        short = [["decode", 0 if first else 1, 1 if quick else 2]]
        llama = [["decode", 1, 2 if quick else 3], *prompts]
        return {
            "flashlm": compare["a"] + rest,
            "llama": compare["b"] + llama,
            "llama, to choose": compare["b"] + short,
        }

    def _logits(self, name: str) -> Path:
        return self.folder / f"logits-{name}.bin"

    def _compare(self, case: Case, record: dict[str, Any]) -> str:
        """Empty if both programs compute the same; else what differs.

        Times of different functions mean nothing.
        """
        paths = [self._logits("a"), self._logits("b")]
        if not any("compare" in run["steps"] for run in record["llama.cpp"]):
            return f"llama.cpp gave no logits: {record['llama.cpp'][0]['status']}"
        ours, theirs = (np.fromfile(path, np.float32).reshape(COMPARE_IDS, -1) for path in paths)
        for path in paths:
            path.unlink()
        error = float(np.sqrt(np.mean((ours - theirs) ** 2)) / np.sqrt(np.mean(theirs**2)))
        top = float(np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1)))
        record["comparison"] = {
            "relative_rms": error,
            "top_1": top,
            "tolerance": TOLERANCE[case.dtype],
        }
        tell(f"{case.name}: logits differ by {error:.2%}, {top:.0%} of the likeliest tokens agree")
        agrees = error <= TOLERANCE[case.dtype] and top >= LEAST_TOP_1
        return (
            ""
            if agrees
            else f"the outputs differ: {error:.2%}, {top:.0%} of the likeliest tokens agree"
        )

    def _child(
        self,
        case: Case,
        program: str,
        command: list[str],
        cap: int | None,
        setting: dict[str, Any],
        *,
        limit: float | None = None,
    ) -> dict[str, Any]:
        result = {**run_child(command, cap, limit or self.arguments.limit), "setting": setting}
        decode = result["steps"].get("decode")
        shown = (
            f"{decode['seconds']:.3f} s/token, {decode['read_bytes'] / 1e9:.2f} GB/token"
            if decode
            else ""
        )
        tell(
            f"{case.name} {program} {setting or ''} {result['status']} in {result['seconds']:.0f} "
            f"s {shown}"
        )
        return result

    def _probe(self, gguf: Path) -> dict[str, Any]:
        """What disk and DRAM can do now.

        The file is a large one, so that no cache of the disk's holds much of it.
        """
        rate, direct = disk_bytes_per_second(gguf, seconds=1.0 if self.arguments.quick else 2.0)
        read = memory_bytes_per_second(self.arguments.threads, 512 * MIB)
        return {"disk": rate, "direct": direct, "dram": max(read() for _ in range(5))}

    def save(self) -> None:
        """The result file, as far as it is."""
        rows = []
        for case, record in self.done.items():
            resident = self.done.get(f"{record['shape']} {record['dtype']} resident")
            rows += rows_of(case, record, resident)
        write_result(
            self.arguments.output,
            self.folder,
            rows,
            note="random weights; floor = max(bytes read / best disk rate, weights / best DRAM rate) of the case's "
            "probes, and for prompts under a cap the time without one; read_rate_over_probe and "
            "time_over_floor take "
            "the probes before and after each round; overlap = (compute + read - wall) / "
            "min(compute, read), with "
            "read = the time in which reads were in flight; llama.cpp with mmap, its best "
            "read-ahead under a cap, "
            "caches dropped first; each case has the date and commit of its own run",
            runs=self.done,
        )


def main() -> None:
    """Run what is missing, and say what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", default="llama-2-7b")
    parser.add_argument(
        "--small", type=lambda text: text.split(",") if text else [], default=["smollm2-135m"]
    )
    parser.add_argument(
        "--dtype", type=lambda text: text.split(","), default=["f16", "q8_0", "q4_0"]
    )
    parser.add_argument(
        "--caps",
        type=lambda text: [int(cap) for cap in text.split(",") if cap],
        default=[25, 50, 75],
    )
    parser.add_argument(
        "--resident",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="cases without a cap",
    )
    parser.add_argument(
        "--prefill", type=lambda text: [int(n) for n in text.split(",") if n], default=[128, 1024]
    )
    parser.add_argument("--quick", action="store_true", help="fewer tokens and rounds")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--read-ahead",
        type=lambda text: [int(n) for n in text.split(",")],
        default=[512, 8192, 128],
    )
    parser.add_argument("--limit", type=float, default=240, help="seconds for one process")
    parser.add_argument("--minutes", type=float, default=600, help="starts no round after so many")
    parser.add_argument(
        "--llama-python", default=sys.executable, help="a Python that has llama-cpp-python"
    )
    parser.add_argument("--folder", help="for the weights; by default peers in FLASHLM_HOME")
    parser.add_argument("--keep", action="store_true", help="leaves the weights there")
    parser.add_argument(
        "--again", action="store_true", help="measures again what the result file has"
    )
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    arguments.caps.sort(key=lambda cap: (cap != 50, cap))
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 3)

    cases = cases_of(arguments)
    peers = Peers(arguments, cases)
    try:
        for case in cases:
            if peers.is_done(case) and not arguments.again:
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
            peers.models.remove_all()
    result = json.loads(arguments.output.read_text())
    print_table(result)
    try:
        draw(result, arguments.output.with_suffix(".png"))
    except ImportError:
        tell("no picture: matplotlib is missing")


if __name__ == "__main__":
    main()

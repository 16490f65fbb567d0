# SPDX-License-Identifier: Apache-2.0
"""ladder.py: the paper's table 2, row by row: what predictor, window and bundles are worth at full size.

    python benchmarks/ladder.py                          # OPT-6.7B's shape as f16, about 8 minutes and 14 GB of disk
    python benchmarks/ladder.py --shape small/config.json --rounds 1
    python benchmarks/ladder.py --llama-python .venv-peers/bin/python --rows resident,best,llama,llama-capped

Needs root for the cap (memory cgroups) and for dropping caches. Every row but "resident" is a
process of its own under a hard cap C of 55 % of the weights, caches dropped first; flashlm is given
memory = C - import floor - 64 MiB, in bytes; "everything from flash" gets the least that works and
room for whole requests. Rounds are interleaved: every row, each followed by a probe of the disk
with reads of that row's size, then DRAM, and again. All rows decode the same text. Logits must
agree bit for bit among the dense rows, and among those with the predictor, before any time counts.
The result file is written after every process; the same command goes on with what is missing.

With --llama-python, a Python that has llama-cpp-python, two rows of llama.cpp take part in every
round: resident, and under the same cap with the fastest of some read-ahead sizes, tried once. It
has no OPT: its side is --llama-shape, in another 13.5 GB. Its logits under the cap must be those
without. Ratios compare what lies in the same round.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import _core, home
from flashlm.bench.floors import memory_bytes_per_second
from flashlm.bench.planted import aggregated_windows, plant_predictor, planted_source, planted_text
from flashlm.bench.report import NOTE, PLANTED_NOTE
from flashlm.packing.detect import is_packed
from flashlm.packing.options import Options
from flashlm.packing.writer import write_folder

sys.path.insert(0, str(Path(__file__).resolve().parent))
from ladder_llama import N_COMPARED, Llama, llama_rows_of, ratios_of
from ladder_result import (
    ALL_ROWS,
    DEFAULT_ROWS,
    GATE,
    LLAMA,
    LLAMA_CAPPED,
    SOURCE,
    Row,
    disagreements,
    draw,
    print_table,
    read_size,
    rows_of,
    usable,
)
from machine import commit, today, write_result
from peers_run import Disk, cgroup_version, run_child, tell

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "ladder.json"
MIB = 1 << 20
SLACK = 64 * MIB
STREAM = (
    144 * MIB
)  # beside the least budget: a sixteenth goes to requests on their way, eight of 1 MiB
DIFFERENT = "its logits differ from those of its group"
N_TEXT = 200
PAPERS = ("opt-6.7b", "f16")  # whose figures the paper's table has


class Ladder:
    """The run: settings, model, disk, and what was measured so far."""

    def __init__(self, arguments: argparse.Namespace, rows: list[Row]) -> None:
        self.arguments, self.rows = arguments, rows
        self.end = time.monotonic() + 60 * arguments.minutes
        self.source = planted_source(arguments.shape, arguments.dtype)
        self.work = Path(arguments.folder or home.home() / "ladder")
        self.work.mkdir(parents=True, exist_ok=True)
        self.folder = self.work / f"{self.source.name.split(',')[0]}-{arguments.dtype}.flash"
        self.disk = Disk(self.work)
        self.llama: Llama | None = None
        if any(row.program != "flashlm" for row in rows):
            python, shape = arguments.llama_python, arguments.llama_shape
            self.llama = Llama(python, shape, arguments.dtype, self.work, self.disk)
        self.read_ahead = arguments.read_ahead
        graph, weights = self.source.graph, self.source.weights
        n_bytes = {name: weight.n_rows * weight.row_bytes for name, weight in weights.items()}
        self.weight_bytes = sum(n_bytes.values())
        self.facts: dict[str, Any] = {
            "n_neurons": len(graph.layers) * graph.ffn.hidden,
            "neuron_bytes": sum(
                n for name, n in n_bytes.items() if name.endswith((".gate", ".up", ".down"))
            ),
            "untied_bytes": 0 if graph.head.tied else n_bytes["embedding"],
            "best_dram_bytes_per_second": 0.0,
            "llama_shape": arguments.llama_shape,
            "llama_weight_bytes": self.llama.weight_bytes if self.llama else None,
        }
        self.settings = {
            "shape": str(arguments.shape),
            "dtype": arguments.dtype,
            "threads": arguments.threads,
            "context": arguments.context,
            "cap_percent": arguments.cap,
            "tokens": arguments.tokens,
        }
        self.runs: dict[str, list[dict[str, Any]]] = {}
        self.dram: list[float] = []  # bytes per second
        self.comparison: dict[str, Any] = {}
        if arguments.output.is_file() and not arguments.again:
            before = json.loads(arguments.output.read_text())
            if all(before.get(name) == value for name, value in self.settings.items()):
                self.runs = {
                    name: [run for run in runs if usable(run)]
                    for name, runs in before["runs"].items()
                }
                self.dram, self.comparison = before["dram_bytes_per_second"], before["comparison"]
                for name in ("llama_shape", "llama_weight_bytes"):
                    self.facts[name] = self.facts[name] or before.get(name)
                if done := self.runs.get(LLAMA_CAPPED.name):
                    self.read_ahead = [done[-1]["options"]["read_ahead_kib"]]
        ids = planted_text(self.source, N_TEXT)
        self.ids = ids[: 1 + max(row.n_warm for row in rows) + arguments.tokens]
        self.planted = aggregated_windows(self.source, ids)
        self.cap: int | None = None
        self.memory: str | int = f"{arguments.cap}%"

    def make_model(self) -> None:
        """The packed model with its predictor, and llama.cpp's; what is there already is used."""
        if self.llama:
            self.llama.make_model()
        if is_packed(self.folder):
            manifest = json.loads(_core.read_manifest(self.folder))
            if manifest["source"] != self.source.describe():
                sys.exit(f"{self.folder} holds another model; remove it or choose another --folder")
        else:
            free = shutil.disk_usage(self.work).free
            if free < self.weight_bytes + (1 << 30):
                sys.exit(
                    f"{self.work} has {free / 1e9:.1f} GB free, the model takes "
                    f"{self.weight_bytes / 1e9:.1f} GB"
                )
            tell(f"writing {self.weight_bytes / 1e9:.1f} GB to {self.folder}")
            write_folder(
                self.source, self.folder, Options.resolve(self.source, "source", "auto"), None
            )
        if not (self.folder / "predictor.safetensors").is_file():
            plant_predictor(self.folder, self.source)
        if GATE in self.rows and not (self.folder / "gates.safetensors").is_file():
            _core.add_gates(self.folder)
        tell("the model is there")

    def set_cap(self) -> None:
        """The cap of the processes, and the budget that fits below it."""
        cap = self.weight_bytes * self.arguments.cap // 100
        found = run_child([sys.executable, str(HERE / "peer_flashlm.py"), "--floor"], None, 60)
        floor = int(found["steps"]["floor"]["peak_bytes"])
        self.facts["import_floor_bytes"] = floor
        if cgroup_version() is None:
            tell(
                "no writable memory cgroup: nothing but flashlm's own budget holds the memory down"
            )
        elif cap <= floor + SLACK + self.least_budget({"selector": "predictor"}):
            tell(
                f"a cap of {cap / 1e6:.0f} MB is below import floor, slack and least budget: no "
                f"cap, a share instead"
            )
        else:
            self.cap, self.memory = cap, cap - floor - SLACK
        self.facts["cap_bytes"], self.facts["memory"] = self.cap, self.memory

    def least_budget(self, options: dict[str, Any]) -> int:
        """The smallest budget that works."""
        try:
            _core.LanguageModel.open(
                self.folder, memory="1", context=self.arguments.context, **options
            )
        except _core.BudgetError as error:
            return error.smallest_bytes
        return 0

    def options(self, row: Row) -> dict[str, Any]:
        """With which a row's model is opened."""
        memory: str | int = {"all": "100%", "cap": self.memory}.get(row.memory, "")
        if row.memory == "least":
            memory = self.least_budget(dict(row.options)) + min(STREAM, self.weight_bytes // 64)
        common = {"context": self.arguments.context, "threads": self.arguments.threads}
        return {"memory": str(memory), **common, **row.options}

    def fits(self, row: Row) -> bool:
        """Whether DRAM has room for a row without a cap."""
        info = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        weights = (
            self.llama.weight_bytes
            if self.llama and row.program != "flashlm"
            else self.weight_bytes
        )
        return row.memory != "all" or int(
            info["MemAvailable"].split()[0]
        ) * 1024 > 1.06 * weights + (1 << 30)

    def measure(self, row: Row, number: int) -> None:
        """One process, and the disk at the size of its reads."""
        started = time.time()
        run = self.run_flashlm(row) if row.program == "flashlm" else self.run_llama(row)
        run = {**run, "disk": None, "started": started, "commit": commit(), "date": today()}
        shown = ""
        if decode := run["steps"].get("decode"):
            if "reads" in decode:
                run["disk"] = self.probe(read_size(decode), number)
            middle = float(np.median(decode["token_seconds"]))
            shown = f"{middle:.3f} s/token, {decode['bytes_read'] / 1e6:.1f} MB/token"
        tell(f"{row.name}: {run['status']} in {run['seconds']:.0f} s {shown}")
        self.runs.setdefault(row.name, []).append(run)

    def run_flashlm(self, row: Row) -> dict[str, Any]:
        """A process of flashlm."""
        Disk.drop_caches()
        job = {
            "model": str(self.folder),
            "options": self.options(row),
            "ids": self.ids,
            "n_warm": row.n_warm,
            "n": min(row.most_tokens, self.arguments.tokens),
            "n_compared": N_COMPARED,
            "logits": str(self.logits(row)),
        }
        cap = None if row.memory == "all" else self.cap
        run = run_child(
            [sys.executable, str(HERE / "ladder_row.py"), json.dumps(job)],
            cap,
            self.arguments.limit,
        )
        return {**run, "cap_bytes": cap, "options": job["options"]}

    def run_llama(self, row: Row) -> dict[str, Any]:
        """A process of llama.cpp."""
        assert self.llama  # noqa: S101 - made with its rows
        cap = None if row.memory == "all" else self.cap
        common = {
            "context": self.arguments.context,
            "threads": self.arguments.threads,
            "logits": str(self.logits(row)),
        }
        read_ahead = self.disk.default
        if cap is not None:
            self.read_ahead = [
                self.llama.fastest(common, cap, self.read_ahead, self.arguments.limit)
            ]
            read_ahead = self.read_ahead[0]
        n = min(row.most_tokens, self.arguments.tokens)
        return self.llama.run(common, n, cap, read_ahead, self.arguments.limit)

    def logits(self, row: Row) -> Path:
        """Where a row's logits lie."""
        return self.work / f"logits-{ALL_ROWS.index(row)}.bin"

    def probe(self, chunk: int, number: int) -> dict[str, Any] | None:
        """The best rate of bare reads of that size, in another layer's file each time."""
        if not chunk:
            return None
        files = sorted(self.folder.glob("neurons-*.safetensors"))
        n_done = sum(len(runs) for runs in self.runs.values())
        path = files[(7 * number + n_done) % len(files)]
        depths = [
            depth
            for depth in ([4, 16] if chunk >= MIB else [16, 64, 128])
            if chunk * depth <= 1 << 26
        ]
        try:
            probe = _core.probe(
                path, seconds=1.0, chunk_bytes=[chunk], depths=depths, page_cache=True
            )
        except _core.Error as error:
            tell(f"no probe: {error}")
            return None
        best = max(probe.points, key=lambda point: point.bytes_per_second_median, default=None)
        if best is None:
            return None
        return {
            "chunk_bytes": chunk,
            "depth": best.depth,
            "bytes_per_second": best.bytes_per_second_median,
            "direct": probe.direct,
        }

    def read_memory(self) -> None:
        """DRAM's rate now."""
        read = memory_bytes_per_second(self.arguments.threads, 512 * MIB)
        self.dram.append(max(read() for _ in range(5)))
        self.facts["best_dram_bytes_per_second"] = max(self.dram)

    def missing(self) -> bool:
        """Whether there is anything to measure."""
        return any(
            len(self.runs.get(row.name, [])) < self.arguments.rounds
            for row in self.rows
            if self.fits(row)
        )

    def round(self, number: int) -> None:
        """Every row that has fewer runs than the round's number asks for, while there is time."""
        for row in self.rows:
            runs = self.runs.get(row.name, [])
            if len(runs) > number:
                continue
            if row is LLAMA_CAPPED and self.cap is None:
                tell(f"{row.name}: left out, there is no cap")
                continue
            if not self.fits(row):
                tell(f"{row.name}: left out, DRAM has no room for it")
                continue
            expected = runs[-1]["seconds"] + 2 if runs else 0.0
            if time.monotonic() + expected > self.end:
                tell(f"{row.name}: no time left for it; the same command goes on from here")
                continue
            self.measure(row, number)
            self.save()

    def problems(self) -> dict[str, str]:
        """Rows whose times mean nothing, and why."""
        digests = {
            name: [run["steps"]["compare"]["sha256"] for run in runs if "compare" in run["steps"]]
            for name, runs in self.runs.items()
        }
        problems = dict.fromkeys(disagreements(digests, ALL_ROWS), DIFFERENT)
        for name, runs in self.runs.items():
            failed = [run["status"] for run in runs if not usable(run)]
            if failed:
                problems.setdefault(name, failed[-1])
            governors = [run["steps"]["decode"].get("governor") for run in runs if usable(run)]
            shrunk = max(
                (governor["shrunk_bytes"] for governor in governors if governor), default=0
            )
            if shrunk:
                problems.setdefault(
                    name, f"memory was short: it gave {shrunk / 1e6:.0f} MB of weights back"
                )
        return problems

    def compare(self) -> None:
        """What the predictor changes: its rows against a dense one."""
        ends = {row.group: path for row in self.rows if (path := self.logits(row)).is_file()}
        if not {"dense", "predictor"} <= set(ends):
            return
        dense, ours = (
            np.fromfile(ends[group], np.float32).reshape(N_COMPARED, -1)
            for group in ("dense", "predictor")
        )
        error = np.sqrt(np.mean((ours - dense) ** 2)) / np.sqrt(np.mean(dense**2))
        top = np.mean(ours.argmax(axis=1) == dense.argmax(axis=1))
        self.comparison = {
            "predictor_relative_rms": float(error),
            "predictor_top_1": float(top),
            "tokens": N_COMPARED,
        }

    def save(self) -> None:
        """The result file, as far as it is."""
        self.compare()
        problems = self.problems()
        measured = [
            row for row in ALL_ROWS if row.name in self.runs and problems.get(row.name) != DIFFERENT
        ]
        figures = []
        for row in measured:
            make = rows_of if row.program == "flashlm" else llama_rows_of
            figures += make(row, self.runs[row.name], self.facts)
        figures += ratios_of(measured, self.runs)
        if (self.settings["shape"], self.settings["dtype"]) != PAPERS:
            figures = [{**figure, "paper": None} for figure in figures]
        write_result(
            self.arguments.output,
            self.work,
            figures,
            **self.settings,
            note=f"{NOTE} {PLANTED_NOTE} Seconds per token: median and range over the tokens of all rounds; the rest "
            "over rounds. Floor: the larger of the row's bytes at the best rate of bare reads of "
            "that size, and of the "
            "weights it needs at DRAM's best rate, in this run.",
            paper=SOURCE,
            weight_bytes=self.weight_bytes,
            **self.facts,
            dram_bytes_per_second=self.dram,
            planted=self.planted,
            comparison=self.comparison,
            problems=problems,
            runs=self.runs,
        )

    def clean(self) -> None:
        """Removes what is large."""
        for row in self.rows:
            self.logits(row).unlink(missing_ok=True)
        if not self.arguments.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
            if self.llama:
                self.llama.gguf.unlink(missing_ok=True)


def parser() -> argparse.ArgumentParser:
    """The options."""
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument(
        "--shape",
        default="opt-6.7b",
        help="a name in flashlm.bench.shapes, or the path of a config.json",
    )
    result.add_argument("--dtype", default="f16", choices=["f32", "f16", "bf16"])
    result.add_argument("--cap", type=int, default=55, help="percent of the weights")
    result.add_argument("--context", type=int, default=512)
    result.add_argument(
        "--tokens", type=int, default=32, help="of a sparse row; slow rows decode fewer"
    )
    result.add_argument("--rounds", type=int, default=2)
    result.add_argument("--threads", type=int, default=2)
    keys = [row.key for row in ALL_ROWS]
    result.add_argument(
        "--rows",
        type=lambda text: text.split(","),
        help=f"of {','.join(keys)}; what is not named waits",
    )
    result.add_argument(
        "--gate", action="store_true", help="one row more: the gate selector, which is exact"
    )
    result.add_argument("--llama-python", help="a Python that has llama-cpp-python: two rows more")
    result.add_argument(
        "--llama-shape", default="llama-2-7b", help="what llama.cpp runs, which has no OPT"
    )
    sizes = {"type": lambda text: [int(n) for n in text.split(",")], "default": [512, 8192, 128]}
    result.add_argument("--read-ahead", **sizes, help="KiB, tried once for llama.cpp under the cap")
    result.add_argument("--limit", type=float, default=150, help="seconds for one process")
    result.add_argument(
        "--minutes", type=float, default=8, help="starts nothing that would end later than that"
    )
    result.add_argument("--folder", help="for the weights; by default ladder in FLASHLM_HOME")
    result.add_argument("--keep", action="store_true", help="leaves the weights there")
    result.add_argument(
        "--again", action="store_true", help="measures again what the result file has"
    )
    result.add_argument("--output", type=Path, default=RESULT)
    return result


def chosen_rows(arguments: argparse.Namespace) -> list[Row]:
    """The rows of a round, in the ladder's order."""
    theirs = (LLAMA.key, LLAMA_CAPPED.key) if arguments.llama_python else ()
    wanted = arguments.rows or [*DEFAULT_ROWS, *theirs]
    if arguments.gate:
        wanted.append(GATE.key)
    if unknown := set(wanted) - {row.key for row in ALL_ROWS}:
        sys.exit(
            f"--rows: expected {', '.join(row.key for row in ALL_ROWS)}, got "
            f"{', '.join(sorted(unknown))}"
        )
    if {LLAMA.key, LLAMA_CAPPED.key} & set(wanted) and not arguments.llama_python:
        sys.exit("--rows: those of llama.cpp need --llama-python")
    return [row for row in ALL_ROWS if row.key in wanted]


def main() -> None:
    """Run what is missing, and say what came out."""
    arguments = parser().parse_args()
    ladder = Ladder(arguments, chosen_rows(arguments))
    try:
        if ladder.missing():
            ladder.make_model()
            ladder.set_cap()
            for number in range(arguments.rounds):
                ladder.read_memory()
                ladder.round(number)
            ladder.read_memory()
            ladder.save()
    finally:
        ladder.clean()
    result = json.loads(arguments.output.read_text())
    print_table(result)
    try:
        draw(result, arguments.output.with_suffix(".png"))
    except ImportError:
        tell("no picture: matplotlib is missing")


if __name__ == "__main__":
    main()

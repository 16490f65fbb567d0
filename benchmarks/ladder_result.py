# SPDX-License-Identifier: Apache-2.0
"""ladder_result.py: what ladder.py measured, as rows beside the paper's, as a table and as a picture."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from machine import spread

SOURCE = "arXiv:2312.11514, table 2: OPT 6.7B, 16 bits, M1 Max"
PARTS = ("io", "memory", "select", "compute")  # of a token's time


@dataclass(frozen=True)
class Row:
    """A way to run the model, and what the paper's table says of it."""

    key: str  # of --rows
    name: str
    memory: str  # "least", "cap", or "all", which has no cap
    options: Mapping[str, Any] = field(default_factory=dict)
    paper: Mapping[str, float] | None = None
    n_warm: int = 10
    most_tokens: int = 1 << 20
    exact: bool = False  # whether dense is what it computes
    program: str = "flashlm"

    @property
    def group(self) -> str:
        """Rows of one group have the same logits, bit for bit.

        The paper's cache has its own: it is not exact.
        """
        if self.options.get("policy") == "paper":
            return "paper"
        if self.program != "flashlm":
            return self.program
        return (
            "dense"
            if self.exact or self.options["selector"] == "dense"
            else str(self.options["selector"])
        )


def _paper(dram: float, read: float, rate: float, seconds: float) -> dict[str, float]:
    return {
        "dram_bytes": dram * 1e9,
        "bytes_per_token": read * 1e9,
        "read_bytes_per_second": rate * 1e9,
        "io_seconds_per_token": seconds,
    }


_DENSE = {"selector": "dense"}
_PREDICTOR = {"selector": "predictor"}
_WINDOW = {**_PREDICTOR, "policy": "window", "window": 5}
ROWS = (
    Row("resident", "resident", "all", _DENSE, None, 1, 10),
    Row("flash", "everything from flash", "least", _DENSE, _paper(0, 13.4, 6.10, 2.196), 0, 2),
    Row("half", "half resident", "cap", _DENSE, _paper(6.7, 6.7, 6.10, 1.090), 0, 2),
    Row(
        "predictor",
        "+ predictor",
        "cap",
        {**_PREDICTOR, "policy": "none", "bundled": False},
        _paper(4.8, 0.9, 1.25, 0.738),
        2,
        10,
    ),
    Row("window", "+ window", "cap", {**_WINDOW, "bundled": False}, _paper(6.5, 0.2, 1.25, 0.164)),
    Row("bundles", "+ bundles", "cap", {**_WINDOW, "bundled": True}, _paper(6.5, 0.2, 2.25, 0.087)),
    Row(
        "paper",
        "+ bundles, the paper's cache",
        "cap",
        {**_WINDOW, "policy": "paper", "bundled": True},
    ),
    Row("best", "best policy", "cap", {**_PREDICTOR, "policy": "combined", "bundled": True}),
)
GATE = Row(
    "gate",
    "gate, exact",
    "cap",
    {"selector": "gate", "policy": "combined", "bundled": True},
    exact=True,
)
LLAMA = Row("llama", "llama.cpp resident", "all", n_warm=0, most_tokens=10, program="llama.cpp")
LLAMA_CAPPED = Row(
    "llama-capped", "llama.cpp capped", "cap", n_warm=0, most_tokens=2, program="llama.cpp"
)
ALL_ROWS = (*ROWS, GATE, LLAMA, LLAMA_CAPPED)
DEFAULT_ROWS = tuple(row.key for row in ROWS)


def read_size(decode: Mapping[str, Any], alignment: int = 4096) -> int:
    """The mean size of the requests, as a disk probe takes it; 0 where nothing was read."""
    if not decode["reads"]:
        return 0
    return max(1, round(decode["bytes_read"] / decode["reads"] / alignment)) * alignment


def selected_share(decode: Mapping[str, Any], group: str, n_neurons: int) -> float:
    """Of all neurons, those that a token had."""
    return 1.0 if group == "dense" and not decode["selected"] else decode["selected"] / n_neurons


def usable(run: Mapping[str, Any]) -> bool:
    """Whether what a process measured counts: it ended well, or was stopped because it took too long."""
    return "decode" in run["steps"] and (
        run["status"] == "done" or run["status"].startswith("stopped")
    )


def rows_of(
    row: Row, runs: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The rows of the result file that tell of one row of the ladder.

    A token's floor is the larger of two: its bytes at the best rate that bare reads of that size
    had, and the weights that it needs at DRAM's best rate; both of the same run.
    """
    runs = [run for run in runs if usable(run)]
    if not runs:
        return []
    parts = [run["steps"]["decode"] for run in runs]
    plan = runs[-1]["steps"]["open"]["plan"]
    shares = [selected_share(part, row.group, facts["n_neurons"]) for part in parts]
    disk = [run["disk"]["bytes_per_second"] for run in runs if run.get("disk")]
    read = statistics.median(part["bytes_read"] for part in parts)
    needed = (
        plan["weights"]
        - facts["untied_bytes"]
        - (1 - statistics.median(shares)) * facts["neuron_bytes"]
    )
    disk_floor = read / max(disk) if disk else 0.0
    dram_floor = (
        needed / facts["best_dram_bytes_per_second"] if facts["best_dram_bytes_per_second"] else 0.0
    )
    values: dict[str, tuple[str, list[float], float | None]] = {
        "seconds_per_token": (
            "s",
            [s for part in parts for s in part["token_seconds"]],
            max(disk_floor, dram_floor),
        ),
        "mean_seconds_per_token": (
            "s",
            [statistics.mean(part["token_seconds"]) for part in parts],
            None,
        ),
        "bytes_per_token": ("B", [part["bytes_read"] for part in parts], None),
        "gap_bytes_per_token": ("B", [part["gap_bytes"] for part in parts], None),
        "reads_per_token": ("1", [part["reads"] for part in parts], None),
        "hit_rate": (
            "1",
            [part["hits"] / max(part["hits"] + part["misses"], 1e-9) for part in parts],
            None,
        ),
        "selected_share": ("1", shares, None),
        "window": ("tokens", [part["window"] for part in parts], None),
    }
    for name in PARTS:
        floor = disk_floor if name == "io" and disk else None
        values[f"{name}_seconds_per_token"] = (
            "s",
            [part[f"{name}_seconds"] for part in parts],
            floor,
        )
    if read:
        rates = [part["bytes_read"] / statistics.mean(part["token_seconds"]) for part in parts]
        values["read_bytes_per_second"] = ("B/s", rates, None)
    if disk:
        values["probe_bytes_per_second"] = ("B/s", disk, None)
    held = [run["held_bytes"] or run["steps"].get("end", {}).get("peak_bytes", 0) for run in runs]
    values["held_bytes"] = ("B", [n_bytes for n_bytes in held if n_bytes], None)
    paper = row.paper or {}
    names = {"held_bytes": "dram_bytes"}
    return [
        {
            "case": row.name,
            "metric": metric,
            "unit": unit,
            **spread(measured),
            "floor": floor,
            "peer": None,
            "paper": paper.get(names.get(metric, metric)),
        }
        for metric, (unit, measured, floor) in values.items()
        if measured and all(math.isfinite(value) for value in measured)
    ]


def disagreements(digests: Mapping[str, Sequence[str]], rows: Sequence[Row]) -> list[str]:
    """The rows whose logits are not, bit for bit, those of the first row of their group."""
    expected: dict[str, str] = {}
    problems = []
    for row in rows:
        for digest in digests.get(row.name, ()):
            if digest != expected.setdefault(row.group, digest) and row.name not in problems:
                problems.append(row.name)
    return problems


def _figures(result: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    cases: dict[str, dict[str, dict[str, Any]]] = {}
    for row in result["rows"]:
        cases.setdefault(row["case"], {})[row["metric"]] = row
    return {name: metrics for name, metrics in cases.items() if "seconds_per_token" in metrics}


def print_table(result: Mapping[str, Any]) -> None:
    """A line a row of the ladder, with the paper's figures at its end."""
    print(f"{result['note']}\nPaper: {SOURCE}; its seconds are I/O alone.")
    heads = (
        "ms/token",
        "[min, max]",
        "x resident",
        "mean",
        "floor",
        "MB/token",
        "reads",
        "hits",
        "chosen",
    )
    widths = (9, 16, 11, 9, 9, 9, 8, 7, 7)
    resident = (
        _figures(result).get(ROWS[0].name, {}).get("seconds_per_token", {}).get("median", math.nan)
    )
    print(
        " " * 28 + "".join(head.rjust(width) for head, width in zip(heads, widths, strict=True)),
        end="",
    )
    print("   io + memory + select + compute, ms | paper: MB, I/O ms")
    for name, metrics in _figures(result).items():
        middle = {metric: row["median"] for metric, row in metrics.items()}
        times = metrics["seconds_per_token"]
        cells = [
            f"{1e3 * times['median']:.1f}",
            f"[{1e3 * times['min']:.0f}, {1e3 * times['max']:.0f}]",
            f"{times['median'] / resident:.2f}",
            f"{1e3 * middle['mean_seconds_per_token']:.1f}",
            f"{1e3 * times['floor']:.1f}" if times["floor"] else "",
            f"{middle['bytes_per_token'] / 1e6:.1f}",
        ]
        end = ""
        if "reads_per_token" in middle:
            cells.append(f"{middle['reads_per_token']:.0f}")
            cells += [f"{middle[share]:.1%}" for share in ("hit_rate", "selected_share")]
            end = " + ".join(f"{1e3 * middle[f'{part}_seconds_per_token']:.1f}" for part in PARTS)
            paper = metrics["bytes_per_token"]["paper"], metrics["io_seconds_per_token"]["paper"]
            end += f" | {paper[0] / 1e6:.0f}, {1e3 * paper[1]:.0f}" if None not in paper else ""
        print(
            name.rjust(28)
            + "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=False)),
            end="",
        )
        print(f"   {end}")
    for row in result["rows"]:
        if row["unit"] == "1" and "llama" in row["metric"]:
            words = row["metric"].replace("_", " ")
            print(
                f"{row['case']}: {words}: {row['median']:.2f} [{row['min']:.2f}, {row['max']:.2f}]"
            )
    for name, problem in result["problems"].items():
        print(f"{name}: {problem}")


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Time per token, a bar a row, with its floor and with the paper's time for I/O."""
    from matplotlib.figure import Figure

    cases = _figures(result)
    if not cases:
        return
    figure = Figure(figsize=(8, 0.5 * len(cases) + 1.6), layout="constrained")
    axes = figure.subplots()
    places = range(len(cases))
    times = [metrics["seconds_per_token"] for metrics in cases.values()]
    errors = [
        [row["median"] - row["min"] for row in times],
        [row["max"] - row["median"] for row in times],
    ]
    colours = {False: "#1f4e79", True: "#c0392b"}
    theirs = [name.startswith("llama.cpp") for name in cases]
    middles = [row["median"] for row in times]
    axes.barh(
        places, middles, xerr=errors, color=[colours[each] for each in theirs], ecolor="#7f8c8d"
    )
    for their, label in ((False, "flashlm"), (True, f"llama.cpp, {result.get('llama_shape')}")):
        if their in theirs:
            axes.plot([], [], "s", color=colours[their], label=label)
    axes.plot(
        [row["floor"] or math.nan for row in times],
        places,
        "|",
        color="#f1c40f",
        markersize=18,
        markeredgewidth=2,
        label="floor of this run",
    )
    paper = [
        (metrics["io_seconds_per_token"]["paper"], place)
        for place, metrics in zip(places, cases.values(), strict=True)
        if "io_seconds_per_token" in metrics
    ]
    shown = [(seconds, place) for seconds, place in paper if seconds is not None]
    axes.plot(
        *zip(*shown, strict=True), "D", color="#e67e22", label="paper, M1 Max: I/O alone"
    ) if shown else None
    axes.set_yticks(places, list(cases))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("seconds per token: median and range")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    figure.suptitle(
        f"{result['shape']} {result['dtype']}, planted firing, {result['threads']} threads, "
        f"{result['date']}",
        fontsize="medium",
    )
    figure.savefig(path, dpi=120)

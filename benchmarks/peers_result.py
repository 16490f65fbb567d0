# SPDX-License-Identifier: Apache-2.0
"""peers_result.py: what peers.py measured, as rows, as a table and as a picture."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from machine import spread


def best_setting(runs: list[dict[str, Any]], settings: list[dict[str, Any]]) -> dict[str, Any]:
    """The setting with the fastest decoding; what was killed or stopped comes last."""

    def seconds(setting: dict[str, Any]) -> float:
        times = [
            run["steps"]["decode"]["seconds"] for run in runs if run["setting"] == setting and "decode" in run["steps"]
        ]
        return min(times, default=float("inf"))

    return min(settings, key=seconds)


def _values(record: dict[str, Any], program: str, step: str, name: str) -> list[float]:
    """A figure over the rounds; of llama.cpp with its best setting only."""
    runs = record[program]
    if program == "llama.cpp" and "llama_setting" in record:
        runs = [run for run in runs if run["setting"] == record["llama_setting"]]
    return [run["steps"][step][name] for run in runs if step in run["steps"]]


def rows_of(case: str, record: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a case in the result file: what flashlm took, its floor, and llama.cpp as `peer`."""
    if "comparison" not in record or not record["probes"]:
        return []
    disk, dram = (max(probe[name] for probe in record["probes"]) for name in ("disk", "dram"))
    rows = []
    for step in ("decode", "prefill 128", "prefill 1024"):
        ours = {name: _values(record, "flashlm", step, name) for name in ("seconds", "read_bytes")}
        theirs = {name: _values(record, "llama.cpp", step, name) for name in ("seconds", "read_bytes")}
        if not ours["seconds"]:
            continue
        bytes_read = statistics.median(ours["read_bytes"])
        floor = bytes_read / disk
        if step == "decode":
            floor = max(floor, record["weight_bytes"] / dram)
        for name, unit in (("seconds", "s"), ("read_bytes", "B")):
            metric = {"seconds": "seconds_per_token", "read_bytes": "bytes_per_token"}[name]
            rows.append(
                {
                    "case": f"{case}, {step}",
                    "metric": metric,
                    "unit": unit,
                    **spread(ours[name]),
                    "floor": floor if name == "seconds" else None,
                    "peer": spread(theirs[name]) if theirs[name] else None,
                }
            )
    rows += _rates(case, record)
    for name in ("disk", "dram"):
        measured = [probe[name] for probe in record["probes"]]
        rows.append(
            {
                "case": case,
                "metric": f"{name}_bytes_per_second",
                "unit": "B/s",
                **spread(measured),
                "floor": None,
                "peer": None,
            }
        )
    return rows


def _rates(case: str, record: dict[str, Any]) -> list[dict[str, Any]]:
    """Bytes per second while decoding: of all weights where they are in DRAM, of what is read where they are not."""

    def rates(program: str) -> list[float]:
        seconds = _values(record, program, "decode", "seconds")
        read = _values(record, program, "decode", "read_bytes")
        return [
            (record["weight_bytes"] if record["cap_bytes"] is None else n_bytes) / time
            for time, n_bytes in zip(seconds, read, strict=True)
        ]

    ours, theirs = rates("flashlm"), rates("llama.cpp")
    if not ours:
        return []
    what = "weight" if record["cap_bytes"] is None else "read"
    names = {"case": f"{case}, decode", "metric": f"{what}_bytes_per_second", "unit": "B/s"}
    return [{**names, **spread(ours), "floor": None, "peer": spread(theirs) if theirs else None}]


def draw(result: dict[str, Any], path: Path) -> None:
    """Time per token against memory, a panel for each number format."""
    from matplotlib.figure import Figure

    points: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for row in result["rows"]:
        if row["metric"] != "seconds_per_token" or not row["case"].endswith(", decode"):
            continue
        record = result["runs"][row["case"].removesuffix(", decode")]
        held = record["cap_bytes"] or record["flashlm"][0]["steps"]["open"]["plan"]["total"]
        points.setdefault(row["case"].split()[0], []).append((held / 1e9, row))
    if not points:
        return
    figure = Figure(figsize=(4.2 * len(points) + 0.8, 4.2), layout="constrained")
    panels = figure.subplots(1, len(points), squeeze=False)[0]
    for axes, (dtype, entries) in zip(panels, points.items(), strict=True):
        entries.sort(key=lambda entry: entry[0])
        for name, colour in (("llama.cpp", "#c0392b"), ("flashlm", "#1f4e79")):
            shown = [(held, row if name == "flashlm" else row["peer"]) for held, row in entries]
            shown = [(held, row) for held, row in shown if row]
            if not shown:
                continue
            middle = [row["median"] for _, row in shown]
            errors = [
                [row["median"] - row["min"] for _, row in shown],
                [row["max"] - row["median"] for _, row in shown],
            ]
            axes.errorbar([held for held, _ in shown], middle, errors, color=colour, marker="o", capsize=3, label=name)
        axes.plot(
            [held for held, _ in entries],
            [row["floor"] for _, row in entries],
            color="#7f8c8d",
            linestyle=":",
            label="floor",
        )
        axes.set_yscale("log")
        axes.set_xlim(0, 1.08 * entries[-1][0])
        axes.set_xlabel("memory, GB (the last point: no cap)")
        axes.set_title(dtype, loc="left")
        axes.grid(axis="y", which="both", color="#eeeeee")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("seconds per token: median and range")
    panels[-1].legend(frameon=False, fontsize="small")
    figure.suptitle(
        f"{result['shape']}, random weights, {result['threads']} threads, {result['date']}", fontsize="medium"
    )
    figure.savefig(path, dpi=120)


def print_table(result: dict[str, Any]) -> None:
    """A line a figure: ours, the floor, theirs, and the ratios."""
    for row in result["rows"]:
        scale = 1e3 if row["unit"] == "s" else 1e-9
        unit = "ms" if row["unit"] == "s" else "GB"
        middle, low, high = (row[name] * scale for name in ("median", "min", "max"))
        text = f"{row['case']:>28} {row['metric']:>22} {middle:9.2f} [{low:.2f}, {high:.2f}] {unit}"
        if row["floor"]:
            text += f"   {row['median'] / row['floor']:.2f} x floor"
        if row["peer"] and row["median"]:
            text += (
                f"   llama.cpp {row['peer']['median'] * scale:.2f}, {row['peer']['median'] / row['median']:.2f} x ours"
            )
        print(text)
    for name, record in result["runs"].items():
        if record["status"] != "done":
            print(f"{name}: {record['status']}")

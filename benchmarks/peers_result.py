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
            run["steps"]["decode"]["seconds"]
            for run in runs
            if run["setting"] == setting and "decode" in run["steps"]
        ]
        return min(times, default=float("inf"))

    return min(settings, key=seconds)


def _steps(record: dict[str, Any], program: str, step: str) -> list[dict[str, Any] | None]:
    """A step over the rounds, None where a process did not come to it; of llama.cpp with its best setting only."""
    runs = record[program]
    if program == "llama.cpp" and "llama_setting" in record:
        runs = [run for run in runs if run["setting"] == record["llama_setting"]]
    return [run["steps"].get(step) for run in runs]


def _values(record: dict[str, Any], program: str, step: str, name: str) -> list[float]:
    """A figure over the rounds; of decoding, the time of every token."""
    found = [each for each in _steps(record, program, step) if each]
    if name == "seconds":
        return [
            seconds for each in found for seconds in each.get("token_seconds", [each["seconds"]])
        ]
    return [each[name] for each in found]


def rows_of(
    case: str, record: dict[str, Any], resident: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rows of a case in the result file: what flashlm took, its floor, and llama.cpp as `peer`.

    `resident` is the case of the same weights without a cap, for the time that a prompt takes
    there.
    """
    if "comparison" not in record or not record["probes"]:
        return []
    disk, dram = (max(probe[name] for probe in record["probes"]) for name in ("disk", "dram"))
    rows = []
    for step in ("decode", "prefill 128", "prefill 1024"):
        ours = {name: _values(record, "flashlm", step, name) for name in ("seconds", "read_bytes")}
        theirs = {
            name: _values(record, "llama.cpp", step, name) for name in ("seconds", "read_bytes")
        }
        if not ours["seconds"]:
            continue
        floor = statistics.median(ours["read_bytes"]) / disk
        if step == "decode":
            floor = max(floor, record.get("needed_bytes", record["weight_bytes"]) / dram)
        elif (
            resident
            and record["cap_bytes"]
            and (without := _values(resident, "flashlm", step, "seconds"))
        ):
            floor = max(floor, statistics.median(without))
        for name, unit in (("seconds", "s"), ("read_bytes", "B")):
            metric = {"seconds": "seconds_per_token", "read_bytes": "bytes_per_token"}[name]
            peer = spread(theirs[name]) if theirs[name] else None
            rows.append(
                _row(
                    f"{case}, {step}",
                    metric,
                    unit,
                    ours[name],
                    floor=floor if name == "seconds" else None,
                    peer=peer,
                )
            )
        rows += _ratios(f"{case}, {step}", record, step)
    rows += _rates(case, record)
    for name in ("disk", "dram"):
        rows.append(
            _row(
                case, f"{name}_bytes_per_second", "B/s", [probe[name] for probe in record["probes"]]
            )
        )
    return rows


def _row(
    case: str,
    metric: str,
    unit: str,
    values: list[float],
    *,
    floor: float | None = None,
    peer: dict[str, float] | None = None,
) -> dict[str, Any]:
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        **spread(values),
        "floor": floor,
        "peer": peer,
    }


def _ratios(case: str, record: dict[str, Any], step: str) -> list[dict[str, Any]]:
    """Round by round: llama.cpp's time over ours, and while decoding, how near the floors of that round we came."""
    found: dict[str, list[float]] = {}
    ours, theirs = (_steps(record, program, step) for program in ("flashlm", "llama.cpp"))
    found["llama_time_over_ours"] = [
        their["seconds"] / our["seconds"]
        for our, their in zip(ours, theirs, strict=False)
        if our and their
    ]
    if step == "decode":
        for index, our in enumerate(ours):
            around = record["probes"][index : index + 2]
            if our:
                for name, value in _round(
                    record, record["flashlm"][index]["steps"], our, around
                ).items():
                    found.setdefault(name, []).append(value)
    return [_row(case, metric, "1", values) for metric, values in found.items() if values]


def _round(
    record: dict[str, Any],
    steps: dict[str, Any],
    decode: dict[str, Any],
    probes: list[dict[str, float]],
) -> dict[str, float]:
    """A round's decoding over the probes around it."""
    disk, dram = (statistics.mean(probe[name] for probe in probes) for name in ("disk", "dram"))
    seconds, n_bytes = decode["seconds"], decode.get("bytes_read", decode["read_bytes"])
    dram_floor = record.get("needed_bytes", record["weight_bytes"]) / dram
    if not record["cap_bytes"]:
        return {"time_over_floor": seconds / dram_floor}
    read = n_bytes / disk
    result = {
        "time_over_floor": seconds / max(read, dram_floor),
        "read_rate_over_probe": read / seconds,
    }
    if streamed := steps["open"]["plan"].get("streamed"):
        result["bytes_over_streamed"] = n_bytes / streamed
    if compute := decode.get("compute_seconds"):
        # In a pass that hides the shorter of the two behind the other, the wall shows only the
        # longer.
        read = decode.get("read_seconds") or read
        result["overlap"] = min(1.0, (compute + read - seconds) / min(compute, read))
    return result


def _rates(case: str, record: dict[str, Any]) -> list[dict[str, Any]]:
    """Bytes per second while decoding: of all weights where they are in DRAM, of what is read where they are not."""

    def rates(program: str) -> list[float]:
        found = [step for step in _steps(record, program, "decode") if step]
        weights = record["weight_bytes"] if record["cap_bytes"] is None else None
        return [(weights or step["read_bytes"]) / step["seconds"] for step in found]

    ours, theirs = rates("flashlm"), rates("llama.cpp")
    if not ours:
        return []
    what = "weight" if record["cap_bytes"] is None else "read"
    peer = spread(theirs) if theirs else None
    return [_row(f"{case}, decode", f"{what}_bytes_per_second", "B/s", ours, peer=peer)]


def draw(result: dict[str, Any], path: Path) -> None:
    """Time per token against memory, a panel for each number format."""
    from matplotlib.figure import Figure

    points: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for row in result["rows"]:
        if row["metric"] != "seconds_per_token" or not row["case"].endswith(", decode"):
            continue
        record = result["runs"][row["case"].removesuffix(", decode")]
        held = record["cap_bytes"] or record["flashlm"][0]["steps"]["open"]["plan"]["total"]
        points.setdefault(f"{record['shape']} {record['dtype']}", []).append((held / 1e9, row))
    # A shape that was measured in one amount of memory makes no line.
    points = {name: entries for name, entries in points.items() if len(entries) > 1} or points
    if not points:
        return
    threads = next(iter(result["runs"].values()))["threads"]
    figure = Figure(figsize=(4.2 * len(points) + 0.8, 4.2), layout="constrained")
    panels = figure.subplots(1, len(points), squeeze=False)[0]
    for axes, (name, entries) in zip(panels, points.items(), strict=True):
        entries.sort(key=lambda entry: entry[0])
        for program, colour in (("llama.cpp", "#c0392b"), ("flashlm", "#1f4e79")):
            shown = [(held, row if program == "flashlm" else row["peer"]) for held, row in entries]
            shown = [(held, row) for held, row in shown if row]
            if not shown:
                continue
            middle = [row["median"] for _, row in shown]
            errors = [
                [row["median"] - row["min"] for _, row in shown],
                [row["max"] - row["median"] for _, row in shown],
            ]
            axes.errorbar(
                [held for held, _ in shown],
                middle,
                errors,
                color=colour,
                marker="o",
                capsize=3,
                label=program,
            )
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
        axes.set_title(name, loc="left")
        axes.grid(axis="y", which="both", color="#eeeeee")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("seconds per token: median and range")
    panels[-1].legend(frameon=False, fontsize="small")
    figure.suptitle(f"random weights, {threads} threads, {result['date']}", fontsize="medium")
    figure.savefig(path, dpi=120)


def print_table(result: dict[str, Any]) -> None:
    """A line a figure: ours, the floor, theirs, and the ratios."""
    for row in result["rows"]:
        scale, unit = {"s": (1e3, "ms"), "1": (1.0, "")}.get(row["unit"], (1e-9, "GB"))
        middle, low, high = (row[name] * scale for name in ("median", "min", "max"))
        text = f"{row['case']:>40} {row['metric']:>22} {middle:9.2f} [{low:.2f}, {high:.2f}] {unit}"
        if row["floor"]:
            text += f"   {row['median'] / row['floor']:.2f} x floor"
        if row["peer"] and row["median"]:
            text += f"   llama.cpp {row['peer']['median'] * scale:.2f}, {row['peer']['median'] / row['median']:.2f} x ours"
        print(text)
    for name, record in result["runs"].items():
        if record["status"] != "done":
            print(f"{name}: {record['status']}")
        if "llama_repacking" in record:
            print(
                f"{name}: llama.cpp with its default, blocks reordered: "
                f"{record['llama_repacking']['status']}"
            )

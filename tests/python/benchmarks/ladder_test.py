# SPDX-License-Identifier: Apache-2.0
"""The paper's ladder: what is made of measured processes, and that its rows are the paper's."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def ladder() -> Any:
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("ladder_result")
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def llama() -> Any:
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("ladder_llama")
    finally:
        sys.path.remove(str(FOLDER))


def run(
    seconds: list[float], *, status: str = "done", digest: str = "a", **figures: float
) -> dict[str, Any]:
    """A process that decoded, as the driver keeps it."""
    counted = ("bytes_read", "gap_bytes", "reads", "hits", "misses", "selected", "window")
    timed = [f"{part}_seconds" for part in ("io", "memory", "select", "compute")]
    decode = {"token_seconds": seconds, **dict.fromkeys([*counted, *timed], 0.0), **figures}
    steps = {"compare": {"sha256": digest}, "open": {"plan": {"weights": 1000}}, "decode": decode}
    return {
        "status": status,
        "steps": steps,
        "held_bytes": 550,
        "disk": {"bytes_per_second": 100.0},
        "seconds": 9.0,
    }


FACTS = {
    "n_neurons": 100,
    "neuron_bytes": 600,
    "untied_bytes": 0,
    "best_dram_bytes_per_second": 500.0,
}


def test_the_rows_are_those_of_the_papers_table(ladder: Any) -> None:
    paper = [row.paper for row in ladder.ROWS if row.paper]
    assert [row["io_seconds_per_token"] for row in paper] == [2.196, 1.090, 0.738, 0.164, 0.087]
    for row in paper:  # bytes over rate are the seconds, as far as the paper rounds
        expected = row["bytes_per_token"] / row["read_bytes_per_second"]
        assert row["io_seconds_per_token"] == pytest.approx(expected, rel=0.03)
    options = {row.name: dict(row.options) for row in ladder.ROWS}
    assert options["+ window"] == {
        "selector": "predictor",
        "policy": "window",
        "window": 5,
        "bundled": False,
    }
    assert options["+ bundles"] == {**options["+ window"], "bundled": True}
    assert options["+ bundles, the paper's cache"] == {**options["+ bundles"], "policy": "paper"}
    groups = [*["dense"] * 3, *["predictor"] * 3, "paper", "predictor", "dense"]
    assert [row.group for row in (*ladder.ROWS, ladder.GATE)] == groups


def test_a_row_stands_beside_its_floors_and_the_paper(ladder: Any) -> None:
    row = next(row for row in ladder.ROWS if row.name == "+ bundles")
    figures: dict[str, Any] = {"bytes_read": 40, "reads": 4, "selected": 10, "hits": 8, "misses": 2}
    runs = [
        run([2.0, 3.0], **figures),
        run([4.0], status="stopped after 9 s", **figures),
        run([9.0], status="killed"),
    ]
    rows = {figure["metric"]: figure for figure in ladder.rows_of(row, runs, FACTS)}
    times = rows["seconds_per_token"]
    assert (times["median"], times["min"], times["max"]) == (
        3.0,
        2.0,
        4.0,
    )  # the killed one does not count
    # Of 600 bytes of neurons a tenth is needed: 460 bytes from DRAM, which is longer than 40 from
    # disk.
    assert times["floor"] == pytest.approx(460 / 500)
    assert rows["io_seconds_per_token"]["floor"] == 40 / 100
    assert rows["bytes_per_token"]["paper"] == 0.2e9
    assert rows["hit_rate"]["median"] == 0.8
    assert rows["selected_share"]["median"] == 0.1
    assert not ladder.rows_of(row, runs[2:], FACTS)
    everything = ladder.rows_of(ladder.ROWS[1], [run([1.0], bytes_read=1000, reads=2)], FACTS)
    assert (
        next(figure for figure in everything if figure["metric"] == "seconds_per_token")["floor"]
        == 1000 / 100
    )


def test_llama_cpp_is_compared_within_a_round_of_one_run(ladder: Any, llama: Any) -> None:
    def at(started: float, seconds: list[float]) -> dict[str, Any]:
        return {**run(seconds), "started": started}

    best = next(row for row in ladder.ROWS if row.key == "best")
    theirs = [at(100, [2.0]), at(5100, [4.0])]
    capped = [at(120, [30.0, 50.0]), at(5200, [40.0])]
    runs = {best.name: [at(0, [1.0]), at(5000, [1.0, 1.0, 9.0])], ladder.LLAMA.name: theirs}
    runs[ladder.LLAMA_CAPPED.name] = capped
    ratios = {entry["metric"]: entry for entry in llama.ratios_of([best, ladder.LLAMA], runs)}
    assert (
        ratios["time_over_llama_resident"]["min"],
        ratios["time_over_llama_resident"]["max"],
    ) == (0.25, 0.5)
    assert ratios["llama_capped_over_time"]["median"] == 40
    assert {entry["case"] for entry in ratios.values()} == {best.name}
    runs[ladder.LLAMA.name] = [at(10000, [2.0]), at(15000, [2.0])]  # of another day
    assert [entry["metric"] for entry in llama.ratios_of([best], runs)] == [
        "llama_capped_over_time"
    ]
    facts = {**FACTS, "llama_weight_bytes": 1000}
    rows = {row["metric"]: row for row in llama.llama_rows_of(ladder.LLAMA_CAPPED, capped, facts)}
    assert (rows["seconds_per_token"]["median"], rows["seconds_per_token"]["floor"]) == (40, 2)


def test_reads_are_probed_at_their_mean_size(ladder: Any) -> None:
    assert ladder.read_size({"bytes_read": 0, "reads": 0}) == 0
    assert ladder.read_size({"bytes_read": 17000 * 5, "reads": 5}) == 16384
    assert ladder.read_size({"bytes_read": 512, "reads": 1}) == 4096


def test_other_logits_than_those_of_the_group_are_named(ladder: Any) -> None:
    digests = {
        "resident": ["a"],
        "half resident": ["a", "b"],
        "+ predictor": ["c"],
        "best policy": ["c"],
    }
    assert ladder.disagreements(digests, ladder.ROWS) == ["half resident"]
    assert not ladder.disagreements(
        {"+ predictor": ["c"], "gate, exact": ["a"]}, (*ladder.ROWS, ladder.GATE)
    )


def test_a_result_is_shown_as_far_as_it_is(
    ladder: Any, llama: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = next(row for row in ladder.ROWS if row.name == "half resident")
    rows = ladder.rows_of(half, [run([2.0], bytes_read=40, reads=4)], FACTS)
    theirs = [{**run([4.0]), "started": 0}]
    figures = llama.llama_rows_of(ladder.LLAMA, theirs, {**FACTS, "llama_weight_bytes": 1000})
    rows += figures + llama.ratios_of([half], {half.name: theirs, ladder.LLAMA.name: theirs})
    result = {"rows": rows, "note": "planted", "problems": {"+ window": "killed by the cap"}}
    result |= {"shape": "x", "dtype": "f16", "threads": 2, "date": "today"}
    ladder.print_table(json.loads(json.dumps(result)))
    said = capsys.readouterr().out
    assert "half resident" in said
    assert "6700, 1090" in said
    assert "+ window: killed by the cap" in said
    assert "half resident: time over llama resident: 1.00" in said
    pytest.importorskip("matplotlib")
    ladder.draw(result, tmp_path / "ladder.png")
    assert (tmp_path / "ladder.png").stat().st_size > 1000

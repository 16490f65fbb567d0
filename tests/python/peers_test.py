# SPDX-License-Identifier: Apache-2.0
"""The comparison with llama.cpp: what its driver makes of processes that end well, badly, or not at all."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent.parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def peers() -> Any:
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("peers")
    finally:
        sys.path.remove(str(FOLDER))


def child(*lines: str) -> list[str]:
    return [sys.executable, "-c", "\n".join(("import time, os, sys", *lines))]


def test_a_process_that_ends_badly_leaves_what_it_had_measured(peers: Any) -> None:
    say = 'print(\'{"step": "decode", "seconds": 1}\', flush=True)'
    assert peers.run_child(child(say), None, 60)["steps"] == {"decode": {"seconds": 1}}
    killed = peers.run_child(child(say, "os.kill(os.getpid(), 9)"), None, 60)
    assert (killed["status"], killed["steps"]) == ("killed by the cap", {"decode": {"seconds": 1}})
    stopped = peers.run_child(child(say, "time.sleep(60)"), None, 1)
    assert stopped["status"] == "stopped after 1 s"
    failed = peers.run_child(child(say, "print('{\"st', flush=True)", "sys.exit('no room')"), None, 60)
    assert (failed["status"], list(failed["steps"])) == ("exit code 1: no room", ["decode"])


def run(seconds: float, read_bytes: float, setting: dict[str, Any] | None = None) -> dict[str, Any]:
    step = {"n": 3, "seconds": seconds, "read_bytes": read_bytes}
    return {"steps": {"decode": step, "open": {"plan": {"total": 2}}}, "setting": setting or {}}


def test_rows_have_the_floor_and_the_peer_at_its_best(peers: Any, tmp_path: Path) -> None:
    slow, fast = {"read_ahead_kib": 128}, {"read_ahead_kib": 8192}
    theirs = [run(9, 1000, slow), run(7, 1000, fast), run(8, 1000, fast)]
    assert peers.best_setting(theirs, [slow, fast]) == fast
    record = {
        "status": "done",
        "comparison": {},
        "cap_bytes": 500,
        "weight_bytes": 1000,
        "probes": [{"disk": 100.0, "dram": 5000.0}, {"disk": 125.0, "dram": 4000.0}],
        "flashlm": [run(5, 500), run(6, 500), run(5.5, 500)],
        "llama.cpp": theirs,
        "llama_setting": fast,
    }
    rows = {(row["case"], row["metric"]): row for row in peers.rows_of("f16 cap 50 %", record)}
    decode = rows["f16 cap 50 %, decode", "seconds_per_token"]
    assert (decode["median"], decode["min"], decode["max"]) == (5.5, 5, 6)
    assert decode["floor"] == 500 / 125
    assert decode["peer"] == {"median": 7.5, "min": 7, "max": 8}
    assert rows["f16 cap 50 %", "disk_bytes_per_second"]["max"] == 125
    assert not peers.rows_of("x", {**record, "probes": []})
    pytest.importorskip("matplotlib")
    result = {
        "rows": list(rows.values()),
        "runs": {"f16 cap 50 %": record},
        "shape": "x",
        "threads": 2,
        "date": "today",
    }
    peers.draw(json.loads(json.dumps(result)), tmp_path / "peers.png")
    assert (tmp_path / "peers.png").stat().st_size > 1000


def test_half_the_memory_and_resident_come_first(peers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "cgroup_version", lambda: 1)
    arguments = type("Arguments", (), {"dtype": ["f16", "q8_0"], "caps": [25, 50]})()
    names = [case.name for case in peers.cases_of(arguments)]
    assert names == ["f16 cap 50 %", "f16 resident", "q8_0 resident", "q8_0 cap 50 %", "f16 cap 25 %", "q8_0 cap 25 %"]
    monkeypatch.setattr(peers, "cgroup_version", lambda: None)
    assert [case.name for case in peers.cases_of(arguments)] == ["f16 resident", "q8_0 resident"]

# SPDX-License-Identifier: Apache-2.0
"""The kernels beside llama.cpp's: which of its rates stands beside which of ours."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"


def test_a_rate_stands_beside_the_faster_order_of_the_same_product(monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    kernels = importlib.import_module("kernels")
    case = "matmul q4_0 8x32, 1 token"
    rows = [
        {"case": f"avx2: {case}", "metric": "weights", "peer": None},
        {"case": f"avx2: {case}", "metric": "share of a plain read", "peer": None},
        {"case": "avx2: matmul q8_0 8x32, 1 token", "metric": "weights", "peer": None},
    ]
    measured = [
        {"case": case, "reordered": False, "values": [1.0, 2.0]},
        {"case": case, "reordered": True, "values": [3.0]},
        {"case": case, "reordered": False, "values": [9.0]},
    ]
    made = kernels.with_peers(rows, measured)
    assert [row["peer"] for row in made[:3]] == [
        {"median": 3.0, "min": 3.0, "max": 3.0},
        None,
        None,
    ]
    assert [(row["case"], row["median"]) for row in made[3:]] == [
        (f"llama.cpp: {case}", 2.0),
        (f"llama.cpp, reordered: {case}", 3.0),
    ]

# SPDX-License-Identifier: Apache-2.0
"""The pictures show what the plan, or the probe, says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import flashlm


def test_the_bars_are_as_long_as_the_plan_says(lm: flashlm.LanguageModel, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plan = lm.memory_plan
    figure = flashlm.plot.memory_plan(plan)
    dram, flash = {}, 0.0
    for bars in figure.axes[0].containers:
        bar = bars[0]
        if bar.get_y() < 0.5:
            dram[str(bars.get_label()).split(":")[0]] = bar.get_width()
        else:
            flash += bar.get_width()
    assert sum(dram.values()) == plan.total
    assert dram["weights that stay"] == plan.pinned
    assert flash == plan.weights
    figure.savefig(tmp_path / "memory.png")
    assert (tmp_path / "memory.png").stat().st_size > 1000


def test_the_bars_of_a_sparse_plan_are_its_numbers_too(tiny_opt_copy: Path) -> None:
    pytest.importorskip("matplotlib")
    with flashlm.LanguageModel.from_pretrained(tiny_opt_copy, memory="90%", selector="gate") as lm:
        plan = lm.memory_plan
    figure = flashlm.plot.memory_plan(plan)
    bars = [bars[0] for bars in figure.axes[0].containers]
    assert sum(bar.get_width() for bar in bars if bar.get_y() < 0.5) == plan.total
    assert plan.window > 0
    size = flashlm.format_bytes
    assert figure.axes[0].get_title(loc="left") == (
        f"{size(plan.resident + plan.pinned + plan.stream + plan.selector + plan.window)} of DRAM "
        f"for "
        f"{size(plan.weights)} of weights, {size(plan.kv + plan.scratch)} for KV cache and scratch"
    )


def test_the_lines_of_a_probe_are_its_points(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    probe = flashlm.probe(
        tmp_path, seconds=0.1, depths=[1, 4], scratch_bytes=1 << 20, page_cache=True
    )
    figure = flashlm.plot.disk_probe(probe)
    lines = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    drawn = {(x, y) for line in lines for x, y in np.asarray(line.get_xydata())}
    assert drawn == {
        (point.chunk_bytes, point.bytes_per_second_median / 1e6) for point in probe.points
    }
    figure.savefig(tmp_path / "disk.png")
    assert (tmp_path / "disk.png").stat().st_size > 1000


def test_without_matplotlib_the_error_names_the_extra(
    lm: flashlm.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'flashlm\[plot\]'"):
        flashlm.plot.memory_plan(lm.memory_plan)
    with pytest.raises(ImportError, match="probe --plot"):
        flashlm.plot.require("probe --plot")


def test_a_picture_that_could_not_be_kept_is_refused_before_the_work(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    flashlm.plot.require("probe --plot", tmp_path / "disk.svg")
    with pytest.raises(
        flashlm.ArgumentError,
        match=r"expected a name ending in \.png, \.svg or \.pdf, got '.*disk.x'",
    ):
        flashlm.plot.require("probe --plot", tmp_path / "disk.x")
    with pytest.raises(
        flashlm.IoError, match=r"probe --plot: No such file or directory \(.*missing\)"
    ):
        flashlm.plot.require("probe --plot", tmp_path / "missing" / "disk.png")

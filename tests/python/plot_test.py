# SPDX-License-Identifier: Apache-2.0
"""The picture of the memory shows what the plan says."""

from __future__ import annotations

import sys
from pathlib import Path

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
    assert dram["neurons that stay"] == plan.pinned
    assert flash == plan.weights
    figure.savefig(tmp_path / "memory.png")
    assert (tmp_path / "memory.png").stat().st_size > 1000


def test_without_matplotlib_the_error_names_the_extra(
    lm: flashlm.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'flashlm\[plot\]'"):
        flashlm.plot.memory_plan(lm.memory_plan)

# SPDX-License-Identifier: Apache-2.0
"""Measuring a disk from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flashlm import ArgumentError, _core


def test_a_probe_is_a_curve_with_a_range_and_a_date(tmp_path: Path) -> None:
    """Every point has a range; everything goes into JSON; no scratch file stays."""
    shares: list[float] = []
    probe = _core.probe(
        tmp_path,
        seconds=0.2,
        chunk_bytes=[4096, 65536],
        depths=[1, 4],
        scratch_bytes=1 << 20,
        page_cache=True,
        progress=shares.append,
    )
    assert {(point.chunk_bytes, point.depth, point.sequential) for point in probe.points} == {
        (chunk, depth, sequential)
        for chunk in (4096, 65536)
        for depth in (1, 4)
        for sequential in (True, False)
    }
    for point in probe.points:
        assert (
            0
            < point.bytes_per_second_min
            <= point.bytes_per_second_median
            <= point.bytes_per_second_max
        )
    assert json.loads(json.dumps(probe.to_dict()))["points"][0] == probe.points[0].to_dict()
    assert probe.date.endswith("Z")
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert probe.reader in str(probe)
    assert not list(tmp_path.iterdir())


def test_a_probe_can_be_stopped_and_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    """Errors leave no scratch file."""

    def stop(share: float) -> None:
        raise KeyboardInterrupt(share)

    with pytest.raises(KeyboardInterrupt):
        _core.probe(tmp_path, scratch_bytes=1 << 20, progress=stop)
    with pytest.raises(ArgumentError, match="seconds"):
        _core.probe(tmp_path, seconds=0)
    with pytest.raises(ArgumentError, match="auto, threads or uring"):
        _core.probe(tmp_path, scratch_bytes=1 << 20, page_cache=True, reader="telepathy")
    with pytest.raises(OSError, match="free space"):
        _core.probe(tmp_path, scratch_bytes=1 << 62)
    assert not list(tmp_path.iterdir())

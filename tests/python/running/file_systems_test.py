# SPDX-License-Identifier: Apache-2.0
"""Models on file systems in memory and over others.

They run with the same bits, and DRAM passes for no disk.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
from flashlm._cli.app import run_app
from small_disk import mounted, overlaid

IDS = [3, 141, 59, 26, 270, 0, 7]
PROMPT = "The moon is"


def answers(folder: Path, reader: str) -> tuple[str, np.ndarray[Any, Any], str]:
    """The reader that was chosen, and what the model says with half its neurons on flash."""
    with flashlm.LanguageModel.from_pretrained(folder, memory="50%", reader=reader) as lm:
        logits, text = lm.logits(IDS), lm.generate(PROMPT, max_new_tokens=8)
        assert lm.stats.bytes_read > 0
        return str(lm.config["reader"]), logits, text


@pytest.fixture(scope="module")
def expected(tiny: Path) -> tuple[np.ndarray[Any, Any], str]:
    return answers(tiny, "threads")[1:]


@pytest.fixture
def memory_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "memory", "8m") as disk:
        yield disk


@pytest.fixture
def overlay(tiny: Path, memory_disk: Path, tmp_path: Path) -> Iterator[Path]:
    """An overlay in memory over a packed model on the usual file system, as in a container."""
    lower = tmp_path / "lower"
    shutil.copytree(tiny, lower / "tiny.flash")
    with overlaid(tmp_path / "overlay", lower, memory_disk) as folder:
        yield folder


@pytest.fixture(scope="module")
def has_uring(tiny: Path) -> bool:
    try:
        return answers(tiny, "uring")[0] == "uring"
    except flashlm.IoError:
        return False


def check_every_reader(
    folder: Path, chosen: set[str], expected: tuple[np.ndarray[Any, Any], str], *, has_uring: bool
) -> None:
    for reader in ("auto", "threads", "uring"):
        if reader == "uring" and not has_uring:  # then nowhere
            with pytest.raises(flashlm.IoError, match="io_uring"):
                answers(folder, reader)
            continue
        name, logits, text = answers(folder, reader)
        assert name in (chosen if reader == "auto" else {reader})
        assert np.array_equal(logits, expected[0])
        assert text == expected[1]


@pytest.mark.privileged
def test_a_model_is_packed_and_run_in_memory_with_the_same_bits(
    tiny: Path,
    tiny_source: Path,
    memory_disk: Path,
    expected: tuple[np.ndarray[Any, Any], str],
    *,
    has_uring: bool,
) -> None:
    copied = Path(shutil.copytree(tiny, memory_disk / "copied.flash"))
    packed = flashlm.pack(tiny_source, memory_disk / "packed.flash")
    flashlm.verify(packed)
    assert (packed / "flashlm.json").read_bytes() == (tiny / "flashlm.json").read_bytes()
    for folder in (copied, packed):
        check_every_reader(folder, {"threads"}, expected, has_uring=has_uring)


@pytest.mark.privileged
def test_a_probe_of_memory_is_refused_or_says_page_cache(
    tiny: Path, memory_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(tiny, memory_disk / "tiny.flash"))
    assert run_app(["probe", str(folder), "--seconds", "0.05"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "no direct reads here: figures would be those of the page cache" in said
    assert str(folder) in said
    assert run_app(["probe", str(folder), "--seconds", "0.05", "--page-cache"]) == 0
    assert "PAGE CACHE" in capsys.readouterr().out
    options: dict[str, Any] = {"seconds": 0.05, "depths": [1]}
    weights = next(folder.glob("ffn-*"))
    assert not flashlm.probe(weights, page_cache=True, **options).direct
    with pytest.raises(flashlm.IoError, match="no direct reads here") as caught:
        flashlm.probe(weights, **options)
    assert caught.value.errno == errno.EOPNOTSUPP


@pytest.mark.privileged
def test_a_model_on_an_overlay_has_the_same_bits(
    tiny: Path,
    tiny_source: Path,
    overlay: Path,
    expected: tuple[np.ndarray[Any, Any], str],
    *,
    has_uring: bool,
) -> None:
    options: dict[str, Any] = {"seconds": 0.05, "depths": [1], "page_cache": True}
    name = next(tiny.glob("ffn-*")).name
    below = flashlm.probe(tiny / name, **options).direct
    assert flashlm.probe(overlay / "tiny.flash" / name, **options).direct == below
    check_every_reader(
        overlay / "tiny.flash", {answers(tiny, "auto")[0]}, expected, has_uring=has_uring
    )
    written = flashlm.pack(tiny_source, overlay / "written.flash")
    # Whether what lies below takes direct reads is the kernel's to say.
    check_every_reader(written, {"threads", "uring"}, expected, has_uring=has_uring)

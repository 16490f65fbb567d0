# SPDX-License-Identifier: Apache-2.0
"""Selectors from Python: gates that change nothing, and predictors that choose.

The tests also ask what is told about them.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
import random_llama
import random_predictor
from flashlm import _core
from flashlm._cli.app import run_app

TEXT = "The moon is a harsh mistress, and the sea is calm tonight."


@pytest.fixture(scope="module")
def relu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama with ReLU, packed neuron by neuron."""
    source = tmp_path_factory.mktemp("relu") / "source"
    random_llama.write_folder(random_llama.case("relu"), source)
    folder = source.parent / "relu.flash"
    flashlm.pack(source, folder, neurons_per_bundle=1)
    return folder


@pytest.fixture
def guess(relu: Path) -> Iterator[Path]:
    """The same folder with a predictor of random numbers, while a test runs."""
    path = random_predictor.write(relu)
    yield relu
    path.unlink()


def logits(folder: Path, **options: Any) -> Any:
    with flashlm.LanguageModel.from_pretrained(folder, **options) as lm:
        return lm.logits(lm.tokenizer.encode(TEXT))


def test_gates_give_the_logits_of_all_neurons(relu: Path) -> None:
    expected = logits(relu, memory="100%", selector="dense")
    for policy in ("auto", "lru", "none"):
        assert np.array_equal(logits(relu, memory="90%", selector="gate", policy=policy), expected)
    assert (relu / "gates.safetensors").is_file()
    assert np.array_equal(logits(relu, memory="90%", selector="gate", window=2), expected)


def test_the_papers_cache_comes_close_to_dense_and_says_its_window(relu: Path) -> None:
    expected = logits(relu, memory="100%", selector="dense")
    got = logits(relu, memory="90%", selector="gate", policy="paper", window=2)
    assert np.allclose(got, expected, atol=1e-3 * float(np.abs(expected).max()))
    with flashlm.LanguageModel.from_pretrained(
        relu, memory="90%", selector="gate", policy="paper", threads=1
    ) as lm:
        lm.generate("a", max_new_tokens=8)
        assert 0 <= lm.stats.window <= 5


def test_a_predictor_is_found_and_its_work_is_told(guess: Path) -> None:
    expected = logits(guess, memory="100%")
    assert not np.array_equal(expected, logits(guess, memory="100%", selector="dense"))
    assert np.array_equal(logits(guess, memory="80%", policy="window", window=3), expected)
    with flashlm.LanguageModel.from_pretrained(guess, memory="90%") as lm:
        lm.generate(TEXT, max_new_tokens=8)
        stats, plan = lm.stats.to_dict(), lm.memory_plan.to_dict()
        assert lm._native.config["selector"] == "predictor"
        assert "tokens are in DRAM" in str(lm.stats)
    assert stats["selected"] > 0
    assert stats["hits"] + stats["misses"] == stats["selected"]
    assert stats["window"] > 0
    assert plan["n_rows"] > 0
    assert plan["selector"] > 0


def test_adding_gates_changes_nothing_else(relu: Path) -> None:
    before = {
        path.name: path.read_bytes() for path in relu.iterdir() if path.name != "gates.safetensors"
    }
    seen: list[tuple[int, int]] = []
    _core.add_gates(relu, lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] > 0
    assert {
        path.name: path.read_bytes() for path in relu.iterdir() if path.name != "gates.safetensors"
    } == before
    flashlm.verify(relu)


def test_thresholds_of_a_swiglu_model_leave_out_the_share_they_were_asked_for(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    random_llama.write_folder(random_llama.CASES[0], source)
    folder = flashlm.pack(source, tmp_path / "silu.flash", neurons_per_bundle=1)
    with pytest.raises(flashlm.ArgumentError, match="add_thresholds"):
        logits(folder, selector="threshold")
    result = flashlm.add_thresholds(folder, TEXT * 4, sparsity=0.4, memory="100%")
    assert result["perplexity"] != result["dense_perplexity"]
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%", selector="threshold") as lm:
        ids = lm.tokenizer.encode(TEXT)
        expected = lm.logits(ids)
        n_neurons = len(ids) * lm.config["n_layers"] * lm.config["hidden_dim"]
        assert 0.5 < lm.stats.selected / n_neurons < 0.7
    assert np.array_equal(
        logits(folder, memory="90%", selector="threshold", policy="lru"), expected
    )


def test_a_command_says_what_thresholds_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source"
    random_llama.write_folder(random_llama.CASES[0], source)
    folder = flashlm.pack(source, tmp_path / "silu.flash", neurons_per_bundle=1)
    (tmp_path / "text.txt").write_text(TEXT * 4)
    command = ["thresholds", str(folder), "--text", str(tmp_path / "text.txt"), "--memory", "100%"]
    assert run_app(command) == 0
    said = capsys.readouterr().out
    for words in (
        "none (dense)",
        "30%",
        "40%",
        "50%",
        "is lossy. It leaves out 40% of the neurons now",
    ):
        assert words in said
    assert run_app([*command, "--lossy", "0.2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [one["sparsity"] for one in result["compared"]] == [0.2, 0.3, 0.4, 0.5]
    assert result["perplexity"] == result["compared"][0]["perplexity"]
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%", selector="threshold") as lm:
        assert (
            lm.perplexity((TEXT * 4)[len(TEXT) * 2 :]) == result["perplexity"]
        )  # the one that was asked for stays
    assert run_app([*command, "--lossy", "1.5"]) == 1
    assert "expected more than 0 and less than 1, got 1.5" in capsys.readouterr().err


def test_a_predictor_of_another_model_is_refused(guess: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.flash"
    other.mkdir()
    for path in guess.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    damaged = bytearray((other / "predictor.safetensors").read_bytes())
    damaged[-9] ^= 1
    (other / "predictor.safetensors").write_bytes(damaged)
    with pytest.raises(flashlm.FormatError, match="checksum"):
        logits(other)
    text = (guess / "predictor.safetensors").read_bytes().replace(b'"model":"', b'"model":"0', 1)
    (other / "predictor.safetensors").write_bytes(text.replace(b"}}   ", b"}}  ", 1))
    with pytest.raises(flashlm.FormatError, match="another model"):
        logits(other)


def test_a_predictor_of_another_shape_is_refused(relu: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(relu, tmp_path / "model.flash"))
    other = flashlm.pack(
        random_llama.write_folder(
            dataclasses.replace(random_llama.case("relu"), hidden_dim=90), tmp_path / "other"
        ),
        tmp_path / "other.flash",
    )
    digest = _core.Safetensors(str(random_predictor.write(folder))).metadata()["model"]
    shutil.copy(random_predictor.write(other, model=digest), folder / "predictor.safetensors")
    with pytest.raises(
        flashlm.FormatError, match=r"expected F16 \[96, 4\], got F16 \[90, 4\].*layers\.0\.b"
    ):
        logits(folder)


def test_thresholds_may_select_everything_or_nothing_but_be_no_nan(
    relu: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(relu, tmp_path / "model.flash"))
    random_predictor.write(folder, threshold=float("-inf"))
    assert np.array_equal(logits(folder, memory="90%"), logits(folder, selector="dense"))
    random_predictor.write(folder, threshold=float("inf"))
    with flashlm.LanguageModel.from_pretrained(folder, memory="90%") as lm:
        assert np.isfinite(lm.logits(lm.tokenizer.encode(TEXT))).all()
        assert lm.generate(TEXT, max_new_tokens=4)
        assert lm.stats.selected == 0
    random_predictor.write(folder, threshold=float("nan"))
    with pytest.raises(flashlm.FormatError, match="expected a number, got NaN"):
        logits(folder)


def test_verify_looks_at_the_files_of_selectors_too(relu: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(relu, tmp_path / "model.flash"))
    flashlm.verify(folder)
    path = random_predictor.write(folder)
    flashlm.verify(folder)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(flashlm.FormatError, match=r"checksum: .*predictor\.safetensors"):
        flashlm.verify(folder)


def test_thresholds_are_not_taken_from_damaged_gates(tmp_path: Path) -> None:
    source = random_llama.write_folder(random_llama.CASES[0], tmp_path / "source")
    folder = flashlm.pack(source, tmp_path / "silu.flash", neurons_per_bundle=1)
    _core.add_gates(folder)
    gates = folder / "gates.safetensors"
    data = bytearray(gates.read_bytes())
    data[5000] ^= 0x40
    gates.write_bytes(data)
    with pytest.raises(flashlm.FormatError, match=r"checksum: .*gates\.safetensors"):
        flashlm.add_thresholds(folder, TEXT * 4, memory="100%")
    assert not (folder / "thresholds.safetensors").exists()

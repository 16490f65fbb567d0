# SPDX-License-Identifier: Apache-2.0
"""The trained ReLU model knows its language.

Predictors of it can be trained, interrupted and used.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
from flashlm._cli.app import run_app
from theirs import Theirs

SHORT = ("--tokens", "2000", "--epochs", "1", "--rank", "32", "--threads", "1")


def test_it_knows_its_language(tiny_opt: Path, tiny_opt_source: Path) -> None:
    log = [
        json.loads(line)
        for line in (tiny_opt_source / "training_log.jsonl").read_text().splitlines()
    ]
    counts = log[0]["heldout_perplexity"]
    assert log[-1]["heldout_perplexity"] < 0.6 * counts["bigram"] < 0.1 * counts["unigram"]
    text = (tiny_opt_source / "heldout.txt").read_text()[:16000]
    with flashlm.LanguageModel.from_pretrained(tiny_opt, selector="dense") as lm:
        assert lm.perplexity(text) < counts["bigram"] / 1.6  # two chapters only


def test_it_is_small_enough_for_the_repository(tiny_opt_source: Path) -> None:
    assert (
        sum(path.stat().st_size for path in tiny_opt_source.iterdir() if path.is_file())
        < 20_000_000
    )


def test_most_of_its_neurons_are_silent(tiny_opt: Path, tiny_opt_source: Path) -> None:
    shares: dict[int, float] = {}
    with flashlm.LanguageModel.from_pretrained(tiny_opt, selector="dense") as lm:
        ids = lm.tokenizer.encode((tiny_opt_source / "heldout.txt").read_text())[:256]
        lm.collect(ids, lambda layer, _, h: shares.update({layer: float((h > 0).mean())}))
    assert len(shares) == 6
    assert sum(shares.values()) / 6 < 0.2


def test_gates_give_the_logits_of_dense_bit_for_bit(
    tiny_opt_copy: Path, tiny_opt_source: Path
) -> None:
    logits = []
    for selector in ("dense", "gate"):
        with flashlm.LanguageModel.from_pretrained(tiny_opt_copy, selector=selector) as lm:
            ids = lm.tokenizer.encode((tiny_opt_source / "heldout.txt").read_text())[:128]
            logits.append(lm.logits(ids))
    assert logits[0].tobytes() == logits[1].tobytes()


def test_a_text_that_is_too_short_leaves_nothing_behind(
    tiny_opt_copy: Path, tmp_path: Path
) -> None:
    (tmp_path / "short.txt").write_text("In the beginning.")
    before = sorted(tiny_opt_copy.iterdir())
    with pytest.raises(flashlm.ShapeError, match="expected at least 320 tokens, got"):
        flashlm.train(tiny_opt_copy, tmp_path / "short.txt")
    assert sorted(tiny_opt_copy.iterdir()) == before


@pytest.mark.live
def test_its_logits_are_those_of_transformers(
    need: Callable[[str], Any], tiny_opt: Path, tiny_opt_source: Path, theirs: Theirs
) -> None:
    with flashlm.LanguageModel.from_pretrained(tiny_opt, selector="dense") as lm:
        ids = lm.tokenizer.encode((tiny_opt_source / "heldout.txt").read_text())[:300]
        ours = lm.logits(ids)

    @functools.cache
    def ask() -> np.ndarray[Any, Any]:
        torch, transformers = need("torch"), need("transformers")
        model = transformers.OPTForCausalLM.from_pretrained(
            tiny_opt_source, dtype=torch.float32
        ).eval()
        with torch.no_grad():
            return np.asarray(model(torch.tensor([ids])).logits[0].numpy())

    # Recorded are every tenth row, in steps of 1/512, and twelve columns of every row: a few
    # hundred KB.
    given = [tiny_opt_source / "model.safetensors", tiny_opt_source / "config.json", ids]
    rows = theirs(lambda: np.round(512 * ask()[9::10]).astype(np.int16), given=given, within=1)
    columns = (97 * np.arange(300)[:, None] + 331 * np.arange(12)) % ours.shape[1]
    some = theirs(lambda: np.take_along_axis(ask(), columns, axis=1), given=given, within=1e-3)
    assert (
        np.abs(ours[9::10] - rows.astype(np.float32) / 512).max() < 2e-2
    )  # keys and values are f16 here
    assert np.abs(np.take_along_axis(ours, columns, axis=1) - some).max() < 2e-2


def test_predictors_are_trained_by_a_command(
    tiny_opt_copy: Path,
    tiny_opt_source: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    picture = tiny_opt_copy.parent / "predictors.png"
    text = str(tiny_opt_source / "calibration.txt")
    options = ["--tokens", "8192", "--threads", "1", "--plot", str(picture), "--json"]
    code = run_app(["train", str(tiny_opt_copy), "--text", text, *options])
    assert code == 0
    report = json.loads(capsys.readouterr().out)
    assert picture.stat().st_size > 10_000
    assert sorted(path.name for path in tiny_opt_copy.iterdir() if "predictor" in path.name) == [
        "predictor.safetensors"
    ]
    for layer in report["layers"]:
        assert layer["mass_recall"] > 0.97
        assert layer["predicted"] < 0.5
    assert report["perplexity_ratio"] < 1.01


def test_killed_at_any_moment_it_goes_on(tiny_opt_copy: Path, tiny_opt_source: Path) -> None:
    command = [sys.executable, "-m", "flashlm", "train", str(tiny_opt_copy), "--text"]
    command += [str(tiny_opt_source / "calibration.txt"), "--no-perplexity", *SHORT]
    predictor, work = (
        tiny_opt_copy / "predictor.safetensors",
        tiny_opt_copy / "predictor.safetensors.partial",
    )
    for appears in ("activations-00000.x", "journal.json", "fitted-00002.npz"):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and not (work / appears).exists():
            time.sleep(0.001)
        process.kill()
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    resumed = predictor.read_bytes()
    assert not work.exists()
    subprocess.run(command, check=True, capture_output=True)
    assert predictor.read_bytes() == resumed

# SPDX-License-Identifier: Apache-2.0
"""Each family against transformers, on random models whose features bite (tests/support/family_cases.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
from family_cases import ROWS, SEEDS, Case, case, transformers_logits, without
from flashlm.packing import family
from theirs import Theirs

BITES = 0.05  # what leaving a feature out moves some logit by, at least
CLOSE = 1e-4  # of the largest logit
SAME = 1e-4  # of theirs, computed today, to theirs as they were recorded


def question(model: Case) -> list[Any]:
    return [model.config, model.weights, model.tokens]


def recorded(model: Case, theirs: Theirs) -> Any:
    return theirs(
        lambda: transformers_logits(model.config, model.weights, model.tokens), given=question(model), within=SAME
    )


def logits(source: Path, tokens: list[int]) -> Any:
    folder = flashlm.pack(source, source.with_name(f"{source.name}.flash"))
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
        return lm.logits(tokens)


@pytest.mark.live
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ROWS)
def test_logits_of_a_family(name: str, seed: int, theirs: Theirs, tmp_path: Path) -> None:
    model = case(name, seed)
    expected = recorded(model, theirs)
    assert 1 <= expected.std() <= 20
    ours = logits(model.write(tmp_path / "source"), model.tokens)
    assert np.abs(ours - expected).max() <= CLOSE * np.abs(expected).max()
    if name == "llama" and model.config["attention_bias"]:
        return  # llama.cpp's llama has no biases
    again = logits(model.write_gguf(tmp_path / "model.gguf"), model.tokens)
    assert np.array_equal(again, ours)  # the same bits


@pytest.mark.live
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ROWS)
def test_each_feature_of_a_family_bites(name: str, seed: int, theirs: Theirs) -> None:
    """A feature that is missing here would be seen by the test above."""
    model, row = case(name, seed), ROWS[name]

    def ask() -> dict[str, float]:
        whole = transformers_logits(model.config, model.weights, model.tokens)
        moved = {}
        for feature in row.features:
            config, weights, passed_by = without(row, feature, model.config, model.weights)
            less = transformers_logits(config, weights, model.tokens, passed_by)
            moved[feature] = round(float(np.abs(less - whole).max()), 2)
        return moved

    moved = theirs(ask, given=[*question(model), row.features])
    assert set(moved) == set(row.features)
    assert min(moved.values()) >= BITES, moved


def test_every_family_has_a_row() -> None:
    """OPT has tests of its own (model_live_test.py)."""
    assert {each.name for each in family.known()} == {*ROWS, "opt"}

# SPDX-License-Identifier: Apache-2.0
"""Recorded answers of other programs: an answer that differs, or one to another question, fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import theirs
from theirs import AnswerError, Theirs, digest, fingerprints

NUMBERS = np.linspace(0, 1, 7, dtype=np.float32)
Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Asks as one test after another would, in a mode."""
    monkeypatch.setattr(theirs, "FOLDER", tmp_path / "theirs")
    monkeypatch.setattr(theirs, "_written", {})

    def ask_in(mode: str, answer: Any, given: Any = "what?", **options: Any) -> Any:
        monkeypatch.setenv("FLASHLM_THEIRS", mode)
        return Theirs("test_it", options.pop("case", ""))(lambda: answer, given=given, **options)

    return ask_in


@pytest.mark.parametrize(
    "answer", [NUMBERS, NUMBERS.astype(np.int16), [1, "\u00fc", None, {"a": [2.5]}]]
)
def test_a_recorded_answer_comes_back_without_asking(ask: Ask, answer: Any) -> None:
    ask("write", answer, case="one")
    ask("write", "other", case="two")
    assert np.array_equal(ask("recorded", None, case="one"), answer)
    assert ask("recorded", None, case="two") == "other"
    assert np.array_equal(ask("compare", answer, case="one"), answer)
    assert "numpy" in Theirs("test_it").made_with()


def test_another_answer_of_today_fails(ask: Ask) -> None:
    ask("write", NUMBERS, case="numbers")
    ask("write", [1, 2], case="ids")
    assert ask("compare", NUMBERS + np.float32(1e-6), case="numbers", within=1e-5)[0] == np.float32(
        1e-6
    )
    for other in (
        NUMBERS + np.float32(1e-4),
        NUMBERS[:-1],
        NUMBERS.astype(np.float64),
        [0.0],
        NUMBERS * np.nan,
    ):
        with pytest.raises(AnswerError, match="got another answer"):
            ask("compare", other, case="numbers", within=1e-5)
    with pytest.raises(AnswerError, match="got another answer"):
        ask("compare", [1, 3], case="ids")


def test_an_answer_to_another_question_fails(ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    questions: list[Any] = [
        {"w": NUMBERS},
        {"w": NUMBERS + 1},
        {"v": NUMBERS},
        {"w": NUMBERS[:, None]},
        [1, 2],
        [2, 1],
    ]
    questions += [folder, folder / "config.json", "text"]
    checksums = [digest(question) for question in questions]
    (folder / "config.json").write_text("{ }")
    checksums += [digest(folder), digest(folder / "config.json")]
    assert len(set(checksums)) == len(checksums)
    ask("write", 1, given={"w": NUMBERS})
    with pytest.raises(AnswerError, match="the question is not the one that was answered"):
        ask("recorded", 1, given={"w": np.nextafter(NUMBERS, np.float32(2))})
    with pytest.raises(AnswerError, match="expected a recorded answer, found none"):
        ask("recorded", 1, case="new")
    with pytest.raises(ValueError, match="expected recorded, compare or write"):
        ask("guess", 1)


def test_a_file_that_is_too_large_is_refused(ask: Ask) -> None:
    noise = np.frombuffer(np.random.PCG64(1).random_raw(60_000).tobytes(), np.uint8)
    with pytest.raises(AnswerError, match="expected at most 300000 bytes"):
        ask("write", noise)


def test_one_answer_that_differs_has_another_fingerprint() -> None:
    same, other = fingerprints([[1, 2], "a"]), fingerprints([[1, 2], "b"])
    assert (same == other).tolist() == [True, False]


def test_the_recorded_files_are_small_and_each_belongs_to_a_test() -> None:
    sources = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("*_test.py"))
    files = sorted(theirs.FOLDER.iterdir())
    assert files
    for file in files:
        assert f"def test_{file.stem}(" in sources, file.name
        assert file.stat().st_size <= theirs.MOST_BYTES
        made_with = Theirs(f"test_{file.stem}").made_with()
        assert {"transformers", "tokenizers", "torch", "numpy"} <= set(made_with), json.dumps(
            made_with
        )
    assert sum(file.stat().st_size for file in files) < 3_000_000

# SPDX-License-Identifier: Apache-2.0
"""examples_test.py: a C++ project that only knows the installed package builds.

It answers as Python does.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import flashlm


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.real
def test_cpp_and_python_answer_alike(cpp_examples: Path, real: Path) -> None:
    prompt = "The moon is"
    answers = {run(cpp_examples / "generate", real, prompt, memory) for memory in ("50%", "100%")}
    with flashlm.LanguageModel.from_pretrained(real, memory="75%") as model:
        assert answers == {model.generate(prompt, max_new_tokens=24) + "\n"}


def test_an_error_is_one_readable_line(cpp_examples: Path, tiny: Path) -> None:
    done = subprocess.run(
        [cpp_examples / "generate", tiny, "x", "1KiB"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("[memory_plan] budget: expected at least ")
    assert done.stderr.count("\n") == 1

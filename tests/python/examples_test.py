# SPDX-License-Identifier: Apache-2.0
"""examples_test.py: a C++ project that only knows the installed package builds, and answers as Python does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import flashlm

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def generate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built with what the wheel carries and nothing else."""
    build = tmp_path_factory.mktemp("examples")
    cmake_dir = run(sys.executable, "-m", "flashlm", "--cmake-dir").strip()
    run("cmake", "-S", EXAMPLES, "-B", build, f"-Dflashlm_DIR={cmake_dir}")
    run("cmake", "--build", build)
    return build / "generate"


@pytest.mark.real
def test_cpp_and_python_answer_alike(generate: Path, real: Path) -> None:
    prompt = "The moon is"
    answers = {run(generate, real, prompt, memory) for memory in ("50%", "100%")}
    with flashlm.LanguageModel.from_pretrained(real, memory="75%") as model:
        assert answers == {model.generate(prompt, max_new_tokens=24) + "\n"}


def test_an_error_is_one_readable_line(generate: Path, tiny: Path) -> None:
    done = subprocess.run([generate, tiny, "x", "1KiB"], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("[memory_plan] budget: expected at least ")
    assert done.stderr.count("\n") == 1

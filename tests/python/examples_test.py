# SPDX-License-Identifier: Apache-2.0
"""examples_test.py: a C++ project that only knows the installed package builds, and answers as Python does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fake_hub
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


@pytest.mark.real
@pytest.mark.slow
def test_an_agent_in_cpp_sums_up_the_papers_of_a_topic(generate: Path, real: Path, tmp_path: Path) -> None:
    """The model of 135 million parameters is asked for valid calls and a finished run, not for wisdom."""
    program = generate.with_name("summarize_papers")
    if not program.is_file():
        pytest.skip("libcurl or poppler-cpp was not found, so summarize_papers was not built")
    with fake_hub.fake_hub() as hub:
        done = subprocess.run(
            [program, real, "LLM", "2", "100%"],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **hub.environment(str(tmp_path))},
        )
    assert done.returncode == 0, done.stderr
    assert "Malformed" not in done.stderr
    assert "  Answer: " in done.stderr
    for paper in hub.papers[:2]:
        title = " ".join(paper.title.split())
        assert (
            f"{title}\nhttps://arxiv.org/abs/{paper.id}\nTopic: LLM\nPages read: 1-{len(paper.pages)}\n" in done.stdout
        )

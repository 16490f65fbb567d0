# SPDX-License-Identifier: Apache-2.0
"""The command line, smolagents' agents and the C++ program read the same papers and end with their answers.

All ask one hub on loopback and run the same model, SmolLM2-135M-Instruct: it is asked for valid calls and finished
runs, not for wisdom.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_hub import FakeHub, fake_hub
from flashlm import net, pdf

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not (net.available() and pdf.available()), reason="built without curl or poppler"),
]
TOP = ("2611.00001", "2611.00002")  # of the topic LLM on the hub's newest list


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A fake hub that the environment names; what is downloaded stays with the test."""
    with fake_hub() as server:
        for name, value in server.environment(str(tmp_path / "hf")).items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def summarize_papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C++ program: the one that FLASHLM_SUMMARIZE_PAPERS names, or else built with what the package carries."""
    if built := os.environ.get("FLASHLM_SUMMARIZE_PAPERS"):
        return Path(built)
    build = tmp_path_factory.mktemp("examples")
    cmake_dir = run([sys.executable, "-m", "flashlm", "--cmake-dir"]).stdout.strip()
    run(["cmake", "-S", EXAMPLES, "-B", build, f"-Dflashlm_DIR={cmake_dir}"])
    targets = run(["cmake", "--build", build, "--target", "help"]).stdout
    if "summarize_papers" not in targets:
        pytest.skip("libcurl or poppler-cpp was not found, so summarize_papers was not built")
    run(["cmake", "--build", build, "--target", "summarize_papers"])
    return build / "summarize_papers"


def run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def run_agent(kind: str, real: Path) -> Any:
    """The final answer of one of smolagents' agents."""
    smolagents = pytest.importorskip("smolagents")
    from flashlm.smolagents import FlashModel, paper_tools

    model = FlashModel(real, memory="100%", max_new_tokens=64)
    # Without a schema around it, a model of this size writes no block of code that can be found.
    more = {"use_structured_outputs_internally": True} if kind == "CodeAgent" else {}
    agent = getattr(smolagents, kind)(tools=paper_tools(), model=model, verbosity_level=0, max_steps=2, **more)
    result = agent.run(
        "Find the top paper about LLM with get_hugging_face_top_daily_paper_ids_by_topic, download it with "
        "download_paper_by_id, read it with read_pdf_file, and give a summary of it as the final answer.",
        return_full_result=True,
    )
    model.close()
    assert result.state in ("success", "max_steps_error")  # at the end of its steps it is asked for its answer too
    steps = [step for step in agent.memory.steps if hasattr(step, "tool_calls")]
    errors = [step.error for step in steps if step.error is not None]
    if kind == "ToolCallingAgent":
        assert not any(isinstance(error, smolagents.AgentParsingError) for error in errors)
        assert all(step.tool_calls for step in steps)
    return result.output


def test_three_programs_give_their_answers_on_the_same_papers(
    real: Path, hub: FakeHub, summarize_papers: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "FLASHLM_HOME": str(tmp_path / "home")}
    titles = {paper.id: " ".join(paper.title.split()) for paper in hub.papers}
    pages = {paper.id: len(paper.pages) for paper in hub.papers}

    words = ["papers", "--topic", "LLM", "--top", "2", "-o", "json", "-n", "48", "--memory", "100%"]
    told = subprocess.run(
        [sys.executable, "-m", "flashlm", *words, "--model", real],
        env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)["papers"]
    assert tuple(paper["id"] for paper in found) == TOP
    for paper in found:
        assert paper["summary"]
        assert paper["pages"] == list(range(1, pages[paper["id"]] + 1))
        assert paper["title"] == titles[paper["id"]]

    done = subprocess.run(
        [summarize_papers, real, "LLM", "2", "100%"], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name in TOP:
        head = f"{titles[name]}\nhttps://arxiv.org/abs/{name}\nTopic: LLM\nPages read: 1-{pages[name]}"
        assert head in done.stdout
    assert "Malformed" not in done.stderr
    answer = done.stdout.rpartition("\nAnswer: ")[2].strip()
    assert answer

    for kind in ("ToolCallingAgent", "CodeAgent"):
        assert run_agent(kind, real)

    # All asked the hub on loopback, and a paper that one has downloaded is there for the others.
    asked = [path for path in hub.asked if path in [f"/pdf/{name}" for name in TOP]]
    assert sorted(asked) == [f"/pdf/{name}" for name in TOP]

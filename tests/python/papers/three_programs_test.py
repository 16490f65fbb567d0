# SPDX-License-Identifier: Apache-2.0
"""The command line, smolagents' agents and the C++ program read the same papers and end with their answers.

All ask one hub on loopback. The real model is SmolLM2-135M-Instruct: it is asked for valid calls
and finished runs, not for wisdom. What smolagents' agents do with a model that knows the way is
shown with a scripted one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flashlm
from fake_hub import FakeHub, fake_hub
from flashlm.papers import net, pdf
from scripted_model import ScriptedSession, call

pytestmark = pytest.mark.skipif(
    not (net.available() and pdf.available()), reason="built without curl or poppler"
)
TOP = ("2611.00001", "2611.00002")  # of the topic LLM on the hub's newest list
URL = "https://arxiv.org/abs/"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A fake hub that the environment names; what is downloaded stays with the test.

    Its papers are short.
    """
    with fake_hub() as server:
        for paper in server.papers:
            paper.pages = tuple(page[:160] for page in paper.pages[:2])
        for name, value in server.environment(str(tmp_path / "hf")).items():
            monkeypatch.setenv(name, value)
        yield server


def titles(hub: FakeHub) -> dict[str, str]:
    return {paper.id: " ".join(paper.title.split()) for paper in hub.papers if paper.id in TOP}


@pytest.mark.real
@pytest.mark.slow
def test_three_programs_give_their_answers_on_the_same_papers(
    real: Path, hub: FakeHub, cpp_examples: Path, tmp_path: Path
) -> None:
    """The real model: the same papers in the answers of the command line and of C++, and valid calls of smolagents."""
    program = cpp_examples / "summarize_papers"
    if not program.is_file():
        pytest.skip("libcurl or poppler-cpp was not found, so summarize_papers was not built")
    environment = {**os.environ, "FLASHLM_HOME": str(tmp_path / "home")}

    words = ["papers", "--topic", "LLM", "--top", "2", "-o", "json", "-n", "24", "--memory", "100%"]
    told = subprocess.run(
        [sys.executable, "-m", "flashlm", *words, "--model", real],
        env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)["papers"]
    assert {paper["id"]: paper["title"] for paper in found} == titles(hub)
    for paper in found:
        assert paper["summary"]
        assert paper["url"] == URL + paper["id"]
        assert paper["pages"] == [1, 2]

    done = subprocess.run(
        [program, real, "LLM", "2", "100%"],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name, title in titles(hub).items():
        assert f"{title}\n{URL}{name}\nTopic: LLM\nPages read: 1-2" in done.stdout
    assert "Malformed" not in done.stderr
    # The model itself called the tool, on papers of the list and as often as there are some.
    calls = re.findall(r'Action: summarize_paper \{"id": ?"([\d.]+)"\}', done.stderr)
    assert len(calls) >= len(TOP), done.stderr
    assert set(calls) <= set(TOP)
    assert done.stdout.rpartition("\nAnswer: ")[2].strip()

    for kind in ("ToolCallingAgent", "CodeAgent"):
        assert run_agent(kind, real)

    # All asked the hub on loopback, and a paper that one has downloaded is there for the others.
    asked = [path for path in hub.asked if path in [f"/pdf/{name}" for name in TOP]]
    assert sorted(asked) == [f"/pdf/{name}" for name in TOP]


def run_agent(kind: str, real: Path) -> Any:
    """The final answer of one of smolagents' agents with the real model."""
    smolagents = pytest.importorskip("smolagents")
    from flashlm.smolagents import FlashModel, paper_tools

    model = FlashModel(real, memory="100%", max_new_tokens=48)
    # Without a schema around it, a model of this size writes no block of code that can be found.
    more = {"use_structured_outputs_internally": True} if kind == "CodeAgent" else {}
    agent = getattr(smolagents, kind)(
        tools=paper_tools(), model=model, verbosity_level=0, max_steps=1, **more
    )
    result = agent.run(
        "Find the ids of the top 2 papers about LLM with "
        "get_hugging_face_top_daily_paper_ids_by_topic.",
        return_full_result=True,
    )
    model.close()
    assert result.state in (
        "success",
        "max_steps_error",
    )  # at the end of its steps it is asked for its answer too
    steps = [step for step in agent.memory.steps if hasattr(step, "tool_calls")]
    # Where the steps ran out, the last one is the question for the answer.
    steps = [step for step in steps if not isinstance(step.error, smolagents.AgentMaxStepsError)]
    assert steps
    errors = [step.error for step in steps if step.error is not None]
    if kind == "ToolCallingAgent":
        assert not any(isinstance(error, smolagents.AgentParsingError) for error in errors)
        assert all(step.tool_calls for step in steps)
    return result.output


@pytest.mark.parametrize("kind", ["ToolCallingAgent", "CodeAgent"])
def test_smolagents_reads_the_same_papers_and_names_them(
    kind: str, tiny: Path, hub: FakeHub
) -> None:
    """The scripted model: both agents find, download and read the papers of the topic, and answer with them."""
    smolagents = pytest.importorskip("smolagents")
    from flashlm.smolagents import FlashModel, paper_tools

    seen: list[str] = []

    def last(messages: Any) -> str:
        seen.append(json.dumps(messages))
        return str(messages[-1]["content"])

    def paths(messages: Any) -> list[str]:
        return re.findall(r"[^\s'\"\[\],\\]+\.pdf", last(messages))

    answer = "; ".join(f"{title} ({URL}{name}, LLM)" for name, title in titles(hub).items())
    find, download, read = (tool.name for tool in paper_tools())
    if kind == "ToolCallingAgent":
        script: list[Any] = [call(find, topic="LLM", num_papers=2)]
        for name in TOP:
            script += [
                call(download, paper_id=name),
                lambda messages: call(
                    read, file_path=paths(messages)[-1], first_page=1, last_page=2
                ),
            ]
        script.append(lambda messages: last(messages) and call("final_answer", answer=answer))
    else:
        code = (
            f"for name in {find}(topic='LLM', num_papers=2):\n"
            f"    print({read}(file_path={download}(paper_id=name), first_page=1, last_page=2))"
        )
        script = [
            f"Thought: I read them.\n<code>\n{code}\n</code>",
            lambda messages: (
                last(messages) and f"Thought: I know.\n<code>\nfinal_answer({answer!r})\n</code>"
            ),
        ]
    with flashlm.LanguageModel.from_pretrained(tiny) as lm:
        model = FlashModel(ScriptedSession(lm, script))
        agent = getattr(smolagents, kind)(
            tools=paper_tools(), model=model, verbosity_level=0, max_steps=6
        )
        result = agent.run("Sum up the top 2 papers about LLM.", return_full_result=True)
    assert result.state == "success"
    assert result.output == answer
    assert not [step for step in agent.memory.steps if getattr(step, "error", None)]
    for paper in hub.papers[:2]:
        assert f"/pdf/{paper.id}" in hub.asked
        assert any(" ".join(paper.pages[1].split())[:20] in " ".join(text.split()) for text in seen)

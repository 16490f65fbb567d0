# SPDX-License-Identifier: Apache-2.0
"""``flashlm papers`` and ``flashlm agent``, through a fake hub.

The model is a scripted one or the real one.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import flashlm
from fake_hub import FakeHub, FakePaper, fake_hub
from flashlm._cli import app
from flashlm._cli.terminal import options, screen
from flashlm._cli.text import agent, papers
from flashlm.papers import net, pdf
from scripted_model import ScriptedSession, call

pytestmark = pytest.mark.skipif(
    not (net.available() and pdf.available()), reason="built without curl or poppler"
)
Run = Callable[..., int | str | None]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A fake hub that the environment names."""
    with fake_hub() as server:
        for name, value in server.environment(str(tmp_path / "hf")).items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def run(lm: flashlm.LanguageModel, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in this process with a model that says the given answers."""

    def run_app(*words: str, answers: list[Any]) -> int | str | None:
        model = ScriptedSession(lm, answers)
        monkeypatch.setattr(options, "open_model", lambda *_, **__: model)
        return app.run_app(words)

    return run_app


def test_papers_are_summarized_as_text(
    run: Run, hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run("papers", "--topic", "LLM", "--top", "1", answers=["It reads weights from flash."]) == 0
    )
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "Reading LLM Weights from Flash",
        "https://arxiv.org/abs/2611.00001",
        "40 votes, topic LLM",
        "",
        "It reads weights from flash.",
        "",
        "Made of pages 1-3.",
        "",
    ]
    for stage in ("Finding papers", "Downloading", "Reading pages", "Summarizing"):
        assert stage in err
    assert hub.asked[-1] == "/pdf/2611.00001"


@pytest.mark.usefixtures("hub")
def test_papers_are_summarized_as_markdown_and_json(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run("papers", "--top", "1", "--date", "2026-11-20", "-o", "markdown", answers=["So."]) == 0
    )
    assert capsys.readouterr().out.startswith(
        "## [Agents that Read](https://arxiv.org/abs/2611.00002)\n\n*90 votes"
    )
    assert run("papers", "--top", "1", "--output", "json", answers=["So."]) == 0
    (found,) = json.loads(capsys.readouterr().out)["papers"]
    assert (found["summary"], found["pages"], found["source"]) == (
        "So.",
        [1, 2, 3, 4, 5, 6, 7, 8],
        "pdf",
    )
    assert run("papers", "--top", "1", "--offline", "-o", "json", answers=["So."]) == 0


def test_a_summary_is_written_while_the_model_writes(
    run: Run, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    del hub
    written: list[str] = []
    monkeypatch.setattr(sys.stdout, "write", written.append)
    assert (
        run(
            "papers",
            "--topic",
            "LLM",
            "--top",
            "1",
            answers=["  It reads weights\x1b[31m from flash. \n"],
        )
        == 0
    )
    text = "".join(written)
    assert "\n\nIt reads weights[31m from flash.\n\nMade of pages 1-3.\n" in text
    assert (
        len(
            [
                piece
                for piece in written
                if piece.strip() and piece.strip() in "It reads weights from flash."
            ]
        )
        > 3
    )


@pytest.mark.parametrize(
    "pieces",
    [["one two ", "three fo", "ur five", "\n\nsix", " "], ["one two three four five\n\nsix"]],
)
def test_words_are_not_broken_in_a_terminal(
    pieces: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "out", Console(force_terminal=True, width=10))
    words = screen.WordWriter()
    for piece in pieces:
        words.write(piece)
    assert words.end()
    assert capsys.readouterr().out == "one two\nthree four\nfive\n\nsix\n"
    assert not screen.WordWriter().end()


def test_without_the_network_the_cached_list_is_taken(
    run: Run, hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("papers", "--topic", "LLM", "--top", "1", "-o", "json")
    assert run(*words, answers=["So."]) == 0
    first = json.loads(capsys.readouterr().out)
    for path in Path(os.environ["HF_HOME"]).rglob("answers/*"):
        os.utime(path, (0, 0))  # too old to be taken as new
    hub.broken = {"/api/": (404, {}, b"gone")}
    assert run(*words, answers=["So."]) == 1  # an answer, though none that helps
    hub.broken = {"/api/": (429, {"Retry-After": "300"}, b"slow down")}
    assert run(*words, "--date", "2026-10-10", answers=["So."]) == 1  # not in the cache
    assert "wait of 300 s" in capsys.readouterr().err
    assert run(*words, answers=["So."]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == first
    assert "wait of 300 s" in err
    assert "with the list of 2026-11-20 from the cache" in err


def test_where_the_hub_is_dead_the_cached_list_is_taken(
    run: Run, hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("papers", "--topic", "LLM", "--top", "1", "-o", "json")
    assert run(*words, answers=["So."]) == 0
    first = json.loads(capsys.readouterr().out)
    for path in Path(os.environ["HF_HOME"]).rglob("answers/*"):
        os.utime(path, (0, 0))
    hub.stop()  # connections are refused
    assert run(*words, answers=["So."]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == first
    assert "with the list of 2026-11-20 from the cache" in err


def test_a_paper_that_cannot_be_read_does_not_stop_the_others(
    run: Run, hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.broken = {"/pdf/2611.00002": (404, {}, b"gone")}  # the hub has no Markdown of it
    assert run("papers", "--topic", "LLM", "--top", "2", "-o", "json", answers=["So."]) == 1
    first, second = json.loads(capsys.readouterr().out)["papers"]
    assert first["summary"] == "So."
    assert "404" in second["error"]


def test_a_paper_whose_pdf_does_not_come_is_read_as_markdown_and_says_so(
    run: Run, hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.broken = {"/pdf/": (403, {}, b"Forbidden")}
    assert run("papers", "--topic", "LLM", "--top", "1", answers=["So."]) == 0
    assert (
        "Made of part 1 (markdown, since its PDF did not come: [http] " in capsys.readouterr().out
    )
    assert (
        run("papers", "--topic", "LLM", "--top", "1", "--offline", "--json", answers=["So."]) == 0
    )
    (found,) = json.loads(capsys.readouterr().out)["papers"]
    assert (found["summary"], found["source"]) == ("So.", "markdown")
    assert found["note"].startswith("its PDF did not come: [papers] offline")


@pytest.mark.usefixtures("hub")
def test_json_gives_the_summaries_to_a_program(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("papers", "--topic", "LLM", "--top", "1", "--json", answers=["So."]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["topic"], told["papers"][0]["id"], told["papers"][0]["summary"]) == (
        "LLM",
        "2611.00001",
        "So.",
    )
    assert told["papers"][0]["note"] == ""
    assert (
        run("papers", "--topic", "LLM", "--top", "1", "--json", "-o", "json", answers=["So."]) == 0
    )
    capsys.readouterr()
    assert run("papers", "--top", "1", "--json", "-o", "markdown", answers=[]) == 1
    assert "expected json or nothing with --json, got 'markdown'" in capsys.readouterr().err


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    "topic", ["\u00e9tude", "\u00c9TUDE", "e\u0301tude"], ids=["small", "capital", "decomposed"]
)
def test_a_topic_with_accents_finds_its_papers(
    run: Run, hub: FakeHub, capsys: pytest.CaptureFixture[str], topic: str
) -> None:
    hub.papers = [FakePaper("2611.10001", "Une \u00c9tude", "About cases.")]
    assert run("papers", "--topic", topic, "--json", answers=["So."]) == 0
    assert json.loads(capsys.readouterr().out)["papers"][0]["title"] == "Une \u00c9tude"


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--topic", "quantum chemistry"), "found none"),
        (("--date", "yesterday"), "expected a day such as"),
        (("--week", "2026-W47", "--month", "2026-11"), "expected a date, a week or a month"),
        (("--top", "0"), "expected at least 1"),
        (("--offline",), "HF_HUB_OFFLINE"),
    ],
)
def test_what_goes_wrong_is_one_line(
    run: Run, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert run("papers", *words, answers=[]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("hub")
def test_without_poppler_two_commands_are_printed(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pdf, "available", lambda: False)
    assert run("papers", "--topic", "LLM", "--top", "1", answers=["So."]) == 0
    assert "Made of part 1 (markdown)." in capsys.readouterr().out
    assert run("papers", "--top", "1", answers=["So."]) == 1
    err = capsys.readouterr().err
    assert "apt-get install libpoppler-cpp-dev libcurl4-openssl-dev && pip install" in err


@pytest.mark.usefixtures("hub")
def test_an_agent_reads_a_paper(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    answers = [
        call("find_papers", topic="LLM", num_papers=1),
        call("read_paper", paper_id="2611.00001", first_page=3, last_page=3),
        call("final_answer", answer="Longer reads are faster."),
    ]
    assert run("agent", "What about LLMs?", "--max-steps", "5", answers=answers) == 0
    out, err = capsys.readouterr()
    assert out == "Longer reads are faster.\n"
    assert "Reading LLM Weights from Flash" in err
    assert "[page 3 of 3]" in err


def test_an_agent_calculates(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    answers = [call("calculate", expression="17 * 23"), call("final_answer", answer="391")]
    assert run("agent", "What is 17 * 23?", "--tool", "calculate", "--json", answers=answers) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["answer"], told["status"], len(told["steps"])) == ("391", "answered", 2)
    assert "391" in json.dumps(told["steps"][0]["observations"])
    assert run("agent", "x", "--tool", "shell", answers=[]) == 1
    assert "expected one of find_papers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answers", "steps", "problem"),
    [
        (["I wonder."] * 9, 3, "No answer: out of steps. --max-steps allows more steps"),
        (
            [call("calculate", expression="17 *"), call("final_answer", answer="7")],
            9,
            "every call failed",
        ),
        (
            [
                call("calculate", expression="1"),
                call("final_answer", answer="The answer to the task."),
            ],
            9,
            "No answer: the",
        ),
        (
            [call("calculate", expression="1"), call("final_answer", answer="7")],
            2,
            "made to answer after 2 steps",
        ),
    ],
)
def test_an_answer_that_is_none_is_a_failure(
    run: Run, capsys: pytest.CaptureFixture[str], answers: list[Any], steps: int, problem: str
) -> None:
    line = ("agent", "What is 17 * 23?", "--tool", "calculate", "--max-steps", str(steps))
    assert run(*line, answers=list(answers)) == 1
    assert problem in " ".join(capsys.readouterr().err.split())
    assert run(*line, "--json", answers=list(answers)) == 1
    assert problem in json.loads(capsys.readouterr().out)["problem"]


@pytest.mark.parametrize(
    "wrong", ["2 ** 9", "__import__('os')", "x", "1 / 0", "(" * 500, "9" * 5000]
)
def test_only_sums_are_calculated(wrong: str) -> None:
    with pytest.raises(flashlm.ArgumentError, match="calculate"):
        agent.calculate(wrong)


def test_sums_are_right() -> None:
    assert agent.calculate("(3 + 4) * 2.5 - -1") == "18.5"
    assert agent.calculate("17 // 5 % 2") == "1"


@pytest.mark.real
@pytest.mark.slow
def test_the_examples_run_on_the_real_model(real: Path, hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "model.flash").symlink_to(real)
    shim = tmp_path / "flashlm"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m flashlm "$@"\n')
    shim.chmod(0o755)
    environment = {
        **os.environ,
        **hub.environment(str(tmp_path / "hf")),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "FLASHLM_MODEL": str(real),
        "FLASHLM_HOME": str(tmp_path / "home"),
    }
    for command in (papers, agent):
        for line in [each.strip()[2:] for each in command.EXAMPLES.splitlines()[1:]]:
            short = f"{line} --max-new-tokens 48"
            done = subprocess.run(
                ["sh", "-c", short],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if command is papers:
                assert done.returncode == 0, done.stderr
                assert "https://arxiv.org/abs/2611.0000" in done.stdout
            else:
                assert done.returncode in (0, 1), done.stderr
                assert "Traceback" not in done.stderr
                assert "Step 1" in done.stderr

# SPDX-License-Identifier: Apache-2.0
"""An agent calls Python functions until it knows the answer, whatever the model writes.

The logic is tested with functions in the model's place. The tiny random model, and the real one of
135 million parameters, are asked for valid calls and a finished run, not for wisdom.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

import flashlm
from flashlm.chat._response_format import grammar_of_schema
from flashlm.chat.tool_calls import call_schema

ADD = '{"thought": "Add them.", "name": "add", "arguments": {"a": 2, "b": 3}}'
ANSWER = '{"thought": "Done.", "name": "final_answer", "arguments": {"answer": "5"}}'


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def script(*answers: str) -> tuple[Callable[[list[Any], str], str], list[list[Any]]]:
    """A model that gives these answers, and the list of what it was asked."""
    asked: list[list[Any]] = []

    def model(messages: list[Any], schema: str) -> str:
        asked.append(messages)
        assert schema == "" or json.loads(schema)
        return answers[len(asked) - 1]

    return model, asked


def test_a_task_is_done_step_by_step() -> None:
    model, asked = script(ADD, ANSWER)
    agent = flashlm.Agent(model, [add])
    agent.start("What is 2 + 3?")
    first = agent.next()
    assert first is not None
    assert first.thought == "Add them."
    assert first.calls == [{"id": "call_1_1", "name": "add", "arguments": {"a": 2, "b": 3}}]
    assert first.observations == [{"call": "call_1_1", "tool": "add", "text": "5", "failed": False}]
    assert "Observation: 5" in str(first)
    assert agent.status == "running"
    assert agent.answer is None
    second = agent.next()
    assert second is not None
    assert second.answer == "5"
    assert agent.next() is None
    assert agent.answer == "5"
    assert agent.steps == [first, second]
    assert asked[1][:2] == asked[0]
    assert asked[1][3] == {"role": "user", "content": "Observation of add:\n5"}


def test_what_a_tool_raises_is_told_to_the_model() -> None:
    def fail() -> str:
        """Fails."""
        raise OSError("out of paper")

    model, asked = script('{"name": "fail"}', ANSWER)
    assert flashlm.Agent(model, [fail]).run("x") == "5"
    assert asked[1][-1]["content"] == "Error of fail:\nOSError: out of paper"


def test_malformed_output_is_told_to_the_model() -> None:
    model, asked = script(
        "Let me think.", '{"name": "add", "arguments": {"a": "2", "b": 3}}', ANSWER
    )
    agent = flashlm.Agent(model, [add])
    assert agent.run("x") == "5"
    assert agent.steps[0].problem == "there is no tool call in it"
    assert "no tool call in it" in asked[1][-1]["content"]
    assert "expected integer" in asked[2][-1]["content"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_of_a_tool_is_raised_and_the_step_can_be_done_again(
    error: type[BaseException],
) -> None:
    def stop() -> str:
        """Stops the first time."""
        if not stopped:
            stopped.append(1)
            raise error
        return "ok"

    stopped: list[int] = []
    agent = flashlm.Agent(lambda *_: '{"name": "stop"}', [stop])
    agent.start("x")
    with pytest.raises(error):
        agent.next()
    assert agent.steps == []
    step = agent.next()
    assert step is not None
    assert step.observations[0]["text"] == "ok"


@pytest.mark.parametrize(
    "error", [flashlm.FormatError("broken"), ValueError("no"), KeyboardInterrupt()]
)
def test_an_error_of_the_model_is_raised(error: BaseException) -> None:
    def model(*_: object) -> str:
        raise error

    agent = flashlm.Agent(model, [add])
    agent.start("x")
    with pytest.raises(type(error)):
        agent.next()
    assert agent.status == "running"


def test_a_tool_that_hangs_is_left_alone() -> None:
    left = threading.Event()

    def hang() -> str:
        """Hangs."""
        left.wait(600)
        return "late"

    model, asked = script('{"name": "hang"}', ANSWER)
    assert flashlm.Agent(model, [flashlm.Tool.of(hang, max_seconds=0.05)]).run("x") == "5"
    left.set()
    assert "no result after 0.05 s" in asked[1][-1]["content"]


def test_megabytes_are_cut() -> None:
    def talk() -> str:
        """Talks."""
        return "word " * 1_000_000

    model, asked = script('{"name": "talk"}', ANSWER)
    flashlm.Agent(model, [talk], observation_tokens=50).run("x")
    assert len(asked[1][-1]["content"]) < 400
    assert "[cut: the first " in asked[1][-1]["content"]


def test_results_that_are_no_text_become_json_where_they_can() -> None:
    def many() -> dict[str, Any]:
        """Gives several."""
        return {"ü": [1, None]}

    def odd() -> object:
        """Gives a set."""
        return {1}

    def lone() -> str:
        """Gives half a character."""
        return "\ud800"

    model, _ = script('[{"name": "many"}, {"name": "odd"}, {"name": "lone"}]', ANSWER)
    agent = flashlm.Agent(model, [many, odd, lone])
    agent.run("x")
    assert [seen["text"] for seen in agent.steps[0].observations] == [
        '{"ü": [1, null]}',
        "{1}",
        "\ufffd",
    ]


def test_limits_end_a_task() -> None:
    agent = flashlm.Agent(lambda *_: ADD, [add], max_steps=3)
    assert agent.run("x") is None
    assert agent.status == "out_of_steps"
    assert [step.number for step in agent.steps] == [1, 2, 3]
    agent = flashlm.Agent(lambda *_: ADD, [add], max_tokens=30)
    assert agent.run("x") is None
    assert agent.status == "out_of_tokens"

    def slow(*_: object) -> str:
        time.sleep(0.05)
        return ADD

    agent = flashlm.Agent(slow, [add], max_seconds=0.04)
    assert agent.run("x") is None
    assert agent.status == "out_of_time"


def test_a_saved_task_goes_on() -> None:
    agent = flashlm.Agent(script(ADD)[0], [add])
    agent.start("What is 2 + 3?")
    agent.next()
    saved = json.loads(json.dumps(agent.save()))
    model, asked = script(ANSWER)
    other = flashlm.Agent(model, [add])
    other.load(saved)
    assert other.steps == agent.steps
    assert [step.answer for step in other] == ["5"]
    assert asked[0][1]["content"] == "What is 2 + 3?"
    with pytest.raises(flashlm.FormatError):
        other.load({"version": 2})
    assert other.answer == "5"


# Tools of functions


def test_a_tool_says_what_the_function_says() -> None:
    def find(  # noqa: D417, PLR0917 - a model's tools are not all documented
        topic: str,
        top: int = 3,
        days: list[str] | None = None,
        order: Literal["votes", "trend"] = "votes",
        weights: dict[str, float] | None = None,
        size: int | str = 1,
    ) -> str:
        """Finds papers.

        On the hub.

        Args:
            topic: What they
                are about.
            top (int): How many.

        Returns:
            Their ids.
        """
        return f"{topic}{top}{days}{order}{weights}{size}"

    tool = flashlm.Tool.of(find)
    assert tool.name == "find"
    assert tool.description == "Finds papers.\n\nOn the hub."
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "topic": {"type": "string", "description": "What they are about."},
            "top": {"type": "integer", "description": "How many."},
            "days": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
            "order": {"enum": ["votes", "trend"]},
            "weights": {
                "anyOf": [
                    {"type": "object", "additionalProperties": {"type": "number"}},
                    {"type": "null"},
                ]
            },
            "size": {"type": ["integer", "string"]},
        },
        "required": ["topic"],
        "additionalProperties": False,
    }


def test_functions_that_no_model_could_call_are_refused() -> None:
    def silent(a: int) -> int:
        return a

    def untyped(a) -> int:  # type: ignore[no-untyped-def]
        """Has no types."""
        return int(a)

    def odd(a: complex) -> str:
        """Takes what JSON lacks."""
        return str(a)

    def many(*rest: int) -> int:
        """Takes any number."""
        return len(rest)

    for function, problem in (
        (silent, "expected a docstring"),
        (untyped, "expected a type"),
        (odd, "got <class 'complex'>"),
        (many, "variadic"),
    ):
        with pytest.raises(flashlm.ArgumentError, match=problem):
            flashlm.Tool.of(function)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_steps": 0}, "max_steps"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_seconds": -1.0}, "max_seconds"),
        ({"heat": 1}, "unknown heat"),
        ({"tools": [add, add]}, "expected each once"),
        ({"tools": [flashlm.Tool("two words", "", {"type": "object"}, add)]}, "two words"),
        ({"model": 3}, "expected a model, a session or a function, got int"),
    ],
)
def test_bad_options_are_argument_errors(options: dict[str, Any], problem: str) -> None:
    given: dict[str, Any] = {"model": lambda *_: "", "tools": [], **options}
    with pytest.raises(flashlm.ArgumentError, match=problem):
        flashlm.Agent(given.pop("model"), given.pop("tools"), **given)


# Models


def test_a_tiny_random_model_makes_valid_calls_and_comes_to_an_end(
    tiny_source: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(tiny_source, tmp_path / "source"))
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 4096}))
    folder = flashlm.pack(source, tmp_path / "tiny.flash")
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%", context=4096) as lm:
        agent = flashlm.Agent(lm, [add], max_steps=3, max_new_tokens=160, temperature=1.0, seed=4)
        assert agent.run("What is 2 + 3?") is not None
        assert agent.status == "answered"
        assert all(step.problem is None and json.loads(step.output) for step in agent.steps)
        slow = flashlm.Agent(lm, [add], max_seconds=1e-6)
        assert slow.run("What is 2 + 3?") is None
        assert slow.status == "out_of_time"


@pytest.mark.real
@pytest.mark.slow
def test_the_real_model_makes_valid_calls_and_comes_to_an_end(real: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(real, memory="100%", context=2048) as lm:
        agent = flashlm.Agent(lm.session(), [add], max_steps=3, max_new_tokens=96)
        assert agent.run("What is 2 + 3? Use the tool add.") is not None
        assert all(step.problem is None for step in agent.steps)
        assert lm.stats.tokens >= 0


def lookup(**arguments: Any) -> str:
    """Says what it was given."""
    return json.dumps(arguments)


def test_no_keyword_of_a_tools_schema_ends_a_run_and_one_warning_names_what_is_left(
    lm: flashlm.LanguageModel,
) -> None:
    parameters = {
        "type": "object",
        "x-order": ["tags"],
        "properties": {
            "tags": {
                "type": "array",
                "items": {"$ref": "#/$defs/tag"},
                "contains": {"const": "a"},
                "maxItems": 2,
            },
            "code": {"type": "string", "pattern": "(?=x)", "title": "Code"},
        },
        "required": ["tags"],
        "$defs": {"tag": {"type": "string", "pattern": "^[a-c]$"}},
    }
    tool = flashlm.Tool("lookup", "Looks up.", parameters, lookup)

    def model(_: list[Any], schema: str) -> str:
        return lm.generate("x", json_schema=schema, max_new_tokens=120, temperature=2.0, seed=3)

    with pytest.warns(UserWarning, match="'contains' at #/properties/tags") as told:
        agent = flashlm.Agent(model, [tool], max_steps=2, min_calls=1)
    assert len(told) == 1
    assert "'pattern' at #/properties/code" in str(told[0].message)
    agent.start("x")
    step = agent.next()
    assert step is not None
    assert len(step.calls) == 1
    for call in step.calls:
        assert all(tag in ("a", "b", "c") for tag in call["arguments"]["tags"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flashlm.Agent(model, [tool])  # said once


def test_calls_of_chat_tools_leave_to_tools_what_no_grammar_knows() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "array", "contains": {}, "maxItems": 3}},
        "x-vendor": {"a": 1},
    }
    plain = {"type": "object", "properties": {"n": {"type": "integer", "x-order": 1}}}
    tools = [
        {"function": {"name": name, "parameters": one}}
        for name, one in (("odd", schema), ("plain", plain))
    ]
    with pytest.warns(UserWarning, match="odd: 'contains' at #/properties/n") as told:
        calls = call_schema(tools)
    assert len(told) == 1
    grammar_of_schema(calls)
    assert "contains" not in json.dumps(calls)
    assert '"maxItems": 3' in json.dumps(calls)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call_schema(tools) == calls

# SPDX-License-Identifier: Apache-2.0
"""options_test.py: an option is declared once, in the engine's table.

Whoever offers it says the same.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

import flashlm
from flashlm import _core
from flashlm._cli.app import app, run_app
from flashlm._cli.terminal import options
from flashlm._engine.generation_options import (
    CHAT_DEFAULTS,
    SAMPLING,
    TEXT_DEFAULTS,
    ChatOptions,
    TextOptions,
)
from flashlm._engine.opening_options import check_drafter

OPENING = {option["name"]: option for option in _core.OPENING_OPTIONS if not option["measures"]}
GENERATION = {option["name"]: option for option in _core.GENERATION_OPTIONS}
# What Python says in its own way: a size as a text, a sequence that cannot change, a schema in
# place of its grammar.
OWN_DEFAULTS = {"kv_store_bytes": "8GiB", "stop": ()}


def defaults(function: Any) -> dict[str, Any]:
    """The keyword-only parameters of a function and their defaults."""
    found = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in found if one.kind is inspect.Parameter.KEYWORD_ONLY}


def default(option: Any) -> Any:
    return OWN_DEFAULTS.get(option["name"], option["default"])


def documented(function: Any) -> dict[str, str]:
    """What the "Args:" of a docstring say, each in one line without marks."""
    args = re.split(r"\n\s*\n", inspect.getdoc(function).split("Args:\n")[1])[0]  # type: ignore[union-attr]
    found = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", args, re.MULTILINE)
    return {name: plain(text) for name, text in found}


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def test_from_pretrained_has_the_options_of_opening() -> None:
    own = defaults(flashlm.LanguageModel.from_pretrained)
    assert list(own) == [
        *list(OPENING)[:8],
        "drafter",
        *list(OPENING)[8:],
        "progress",
    ]
    assert {name: own[name] for name in OPENING} == {
        name: default(option) for name, option in OPENING.items()
    }
    own_bytes = _core.parse_memory(str(OWN_DEFAULTS["kv_store_bytes"])).bytes
    assert own_bytes == OPENING["kv_store_bytes"]["default"]


def test_planning_and_the_model_of_smolagents_have_them_too() -> None:
    own = defaults(flashlm.plan)
    assert {name: OPENING[name]["default"] for name in own} == own
    smolagents = pytest.importorskip("flashlm.smolagents")
    own = defaults(smolagents.FlashModel.__init__)
    for name in ("memory", "context", "threads", "reader", "kv_store"):
        assert own[name] == OPENING[name]["default"], name


def test_texts_and_conversations_have_the_options_of_generation() -> None:
    for text in (flashlm.LanguageModel.stream, flashlm.Session.generate):
        assert defaults(text) == TEXT_DEFAULTS
    for chat in (flashlm.LanguageModel.chat, flashlm.Session.stream_chat):
        assert defaults(chat) == CHAT_DEFAULTS
    assert {**{name: default(one) for name, one in GENERATION.items()}, "json_schema": None} == {
        **TEXT_DEFAULTS,
        "grammar": None,
    }
    assert set(TEXT_DEFAULTS) == set(TextOptions.__annotations__)
    assert set(CHAT_DEFAULTS) == set(ChatOptions.__annotations__)
    assert SAMPLING == ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed")
    changed = {
        name
        for name in CHAT_DEFAULTS
        if name in TEXT_DEFAULTS and CHAT_DEFAULTS[name] != TEXT_DEFAULTS[name]
    }
    assert changed == {"max_new_tokens"}


@pytest.mark.parametrize(
    ("function", "table"),
    [(flashlm.LanguageModel.from_pretrained, OPENING), (flashlm.LanguageModel.stream, GENERATION)],
    ids=["opening", "generation"],
)
def test_docstrings_say_what_the_table_says(function: Any, table: dict[str, Any]) -> None:
    said = documented(function)
    for name, option in table.items():
        if name != "grammar":  # json_schema in Python
            assert said[name].startswith(plain(option["doc"])), name
    order = [name for name in said if name in table]
    assert order == [name for name in table if name in said]


@pytest.mark.parametrize("member", ["open", "plan", "largest_context", "stream"])
def test_the_binding_has_them_all_with_their_lines(member: str) -> None:
    table = _core.GENERATION_OPTIONS if member == "stream" else _core.OPENING_OPTIONS
    doc = getattr(_core.LanguageModel, member).__doc__
    for option in table:
        assert f"{option['name']}: " in doc.splitlines()[0]
        assert plain(f"{option['name']}: {option['doc']}") in plain(doc)


@pytest.mark.parametrize("command", ["run", "chat"])
def test_the_commands_have_the_same_names_defaults_and_words(command: str) -> None:
    found = {one.name: one for one in typer.main.get_command(app).commands[command].params}  # type: ignore[attr-defined]
    for name in [*OPENING, *SAMPLING]:
        if name == "parallel":  # one conversation
            assert name not in found
            continue
        option = OPENING.get(name) or GENERATION[name]
        assert f"--{name.replace('_', '-')}" in found[name].opts
        if name != "kv_store":  # a flag here: the folder is that of FLASHLM_HOME
            assert found[name].default == default(option)
            assert (
                plain(option["doc"])
                .replace('"', "")
                .startswith(found[name].help.split(":")[0].rstrip("."))
            )
        for word in filter(None, option["words"].split(", ")):
            assert word in found[name].help
    assert set(options.SAMPLING) == {*SAMPLING, "stop"}


@pytest.mark.parametrize("function", ["stream", "generate", "chat", "stream_chat"])
def test_an_option_that_nobody_knows_is_named(tiny: Path, function: str) -> None:
    with flashlm.LanguageModel.from_pretrained(tiny) as lm:
        prompt: Any = [{"role": "user", "content": "Hi"}] if "chat" in function else "Hi"
        with pytest.raises(
            TypeError, match=rf"{function}\(\) got an unexpected keyword argument 'top_x'"
        ):
            getattr(lm, function)(prompt, top_x=1)


@pytest.mark.parametrize(
    ("option", "value", "runs"),
    [
        ("selector", "sparse", "one of auto, dense, predictor, gate, threshold"),
        ("policy", "fifo", "one of auto, combined, window, lru, frequency, paper, none"),
        ("reader", "mmap", "one of auto, threads, uring"),
        ("threads", 1025, "1 to 1024"),
        ("context", 0, "1 or more"),
        ("parallel", -1, "1 or more"),
    ],
)
def test_a_refusal_names_what_runs(tiny: Path, option: str, value: Any, runs: str) -> None:
    with pytest.raises(flashlm.ArgumentError) as refused:
        flashlm.LanguageModel.from_pretrained(tiny, **{option: value})
    assert f"{option}: expected {runs}, got {value!r}" in str(refused.value)


def test_a_drafter_that_comes_later_is_told_with_what_runs(tiny: Path) -> None:
    with pytest.raises(flashlm.ArgumentError, match="drafter: expected 'auto' or 'none', got 3"):
        check_drafter(3)
    with pytest.raises(NotImplementedError, match=r"expected 'auto' or 'none', got 'ngram'"):
        flashlm.LanguageModel.from_pretrained(tiny, drafter="ngram")
    flashlm.LanguageModel.from_pretrained(tiny, drafter="none").close()


def test_a_command_refuses_with_the_same_words(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["run", str(tiny), "-p", "Hi", "--policy", "fifo"]) == 1
    assert (
        "policy: expected one of auto, combined, window, lru, frequency, paper, none"
        in capsys.readouterr().err
    )

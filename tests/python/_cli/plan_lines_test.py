# SPDX-License-Identifier: Apache-2.0
"""What is told before anything is read or written.

It is the plan, what would be faster, and how large a model gets.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import flashlm
import random_gguf
import random_llama
from flashlm import _core
from flashlm._cli.app import run_app
from flashlm.planning import plan_lines

CASE = random_llama.case("grouped")
WIDE = random_llama.Case("wide", 7, dim=256, hidden_dim=256, context=64)  # for blocks of 256


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lines that were told, and "open" where weights were read."""
    seen: list[str] = []
    real = _core.LanguageModel.open

    def opened(*arguments: Any, **options: Any) -> Any:
        seen.append("open")
        return real(*arguments, **options)

    monkeypatch.setattr(_core.LanguageModel, "open", opened)
    monkeypatch.setattr("flashlm._cli.terminal.screen.tell", seen.append)
    return seen


def test_the_plan_names_the_weights_in_dram_the_keys_and_values_and_the_whole(tiny: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(tiny, memory="75%", context=100) as lm:
        plan = lm.memory_plan
    told = plan_lines(tiny, memory="75%", context=100)[0]
    size = _core.format_bytes
    assert told.startswith(
        f"Plan: {size(plan.weights)} of weights, {size(plan.resident + plan.pinned)} of them in "
        f"DRAM"
    )
    assert f"{size(plan.kv)} of keys and values for 100 tokens" in told
    assert f"{size(plan.total)} in all" in told


def test_what_is_faster_is_told_only_where_it_is_and_where_it_fits(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with flashlm.LanguageModel.from_pretrained(tiny, memory="100%") as lm:
        whole = lm.memory_plan.total
    monkeypatch.setattr(_core, "free_memory", lambda: 2 * whole)
    assert len(plan_lines(tiny, memory="50%")) == 2
    assert "with --memory 100%" in plan_lines(tiny, memory="50%")[1]
    assert len(plan_lines(tiny, memory="100%")) == 1
    monkeypatch.setattr(_core, "free_memory", lambda: whole - 1)
    assert len(plan_lines(tiny, memory="50%")) == 1
    monkeypatch.setattr(_core, "free_memory", lambda: None)
    assert len(plan_lines(tiny, memory="50%")) == 1


def test_a_budget_that_is_too_small_is_the_error_of_opening(tiny: Path) -> None:
    with pytest.raises(flashlm.BudgetError, match="expected at least"):
        plan_lines(tiny, memory="1KiB")


@pytest.mark.parametrize("command", [["run", "-p", "Hi", "-n", "1"], ["chat", "-n", "1"]])
def test_run_and_chat_tell_the_plan_before_anything_is_read(
    tiny: Path, order: list[str], command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Hi\n"))
    assert run_app([command[0], str(tiny), *command[1:]]) == 0
    assert order[0].startswith("Plan: ")
    assert order.index("open") > 0


def test_run_with_json_tells_nothing(tiny: Path, order: list[str]) -> None:
    assert run_app(["run", str(tiny), "-p", "Hi", "-n", "1", "--json"]) == 0
    assert order == ["open"]


def test_the_demo_tells_the_plan_before_anything_is_read(tiny: Path, order: list[str]) -> None:
    from flashlm import demo

    demo.run(tiny, prompt="Hi", max_new_tokens=1, tell=order.append)
    assert order[0].startswith("Plan: ")
    assert order.index("open") > 0


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            "TQ1_0",
            "times as much, since TQ1_0 becomes f16. A share as memory is one of the packed size",
        ),
        ("TQ2_0", "times as much, since TQ2_0 becomes f16"),
        ("Q4_K", "packed"),
        ("Q8_0", "packed"),
        ("F16", "packed"),
    ],
)
def test_what_grows_by_packing_is_told_with_the_factor_before(
    tmp_path: Path, kind: str, words: str
) -> None:
    path = random_gguf.write(WIDE, tmp_path / "m.gguf", kind)
    told: list[str] = []
    folder = flashlm.pack(path, tmp_path / "m.flash", tell=told.append)
    assert len(told) == 1
    assert words in told[0]
    assert ("times as much" in told[0]) == (kind in ("TQ1_0", "TQ2_0"))
    manifest = json.loads((folder / "flashlm.json").read_text())
    weights = sum(
        file["bytes"] - file["header_bytes"] for file in manifest["files"] if "header_bytes" in file
    )
    assert f"{_core.format_bytes(weights)} packed" in told[0]


def test_a_model_that_is_packed_on_the_way_is_told_with_its_place(
    tmp_path: Path, order: list[str], flashlm_home: Path
) -> None:
    path = random_gguf.write(WIDE, tmp_path / "m.gguf", "TQ1_0")
    assert run_app(["run", str(path), "-p", "the", "-n", "1"]) == 0
    assert order[0].startswith(f"Packing m.gguf once, into {flashlm_home}")
    assert "times as much, since TQ1_0 becomes f16" in order[0]
    order.clear()
    assert run_app(["run", str(path), "-p", "the", "-n", "1"]) == 0
    assert order[0].startswith("Plan: ")


@pytest.mark.parametrize("kind", ["gguf", "huggingface"])
def test_info_packs_nothing_and_says_what_packing_would_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("FLASHLM_HOME", str(tmp_path / "home"))
    source = (
        random_gguf.write(CASE, tmp_path / "m.gguf", "Q4_1")
        if kind == "gguf"
        else random_llama.write_folder(CASE, tmp_path / "source")
    )
    assert run_app(["info", str(source), "--json", "--memory", "75%"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert not (tmp_path / "home").exists()
    assert (told["packed"], told["folder"]) == (False, str(source))
    folder = flashlm.pack(source, tmp_path / "out.flash")
    assert run_app(["info", str(folder), "--json", "--memory", "75%"]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert expected["packed"] is True
    expected["source"].pop("rounding_error", None)
    for name in set(expected) - {"folder", "packed"}:
        assert told[name] == expected[name], name
    assert run_app(["info", str(source)]) == 0
    assert "when packed" in capsys.readouterr().out

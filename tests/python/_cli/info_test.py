# SPDX-License-Identifier: Apache-2.0
"""``flashlm info`` answers from headers.

It is asked about files, folders and the hub, about models that run and about others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import random_gguf
import random_llama
from fake_hub import fake_hub
from family_cases import case
from flashlm._cli.app import app

CASE = random_llama.case("grouped")


def info(source: object, *options: str) -> str:
    done = CliRunner().invoke(app, ["info", str(source), *options])
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.stdout


def facts(source: object, *options: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(info(source, "--json", *options))
    return told


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLASHLM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_model_is_told_in_words(tmp_path: Path, home: Path) -> None:
    model = case("qwen2", 1)
    source = model.write(tmp_path / "source")
    told = facts(source)
    assert (told["runs"], told["family"], told["packed"]) == (True, "qwen2", False)
    words = told["graph"]
    assert words["attention"].endswith("rope; biases of q, k, v")
    assert f"{model.config['num_attention_heads']} heads of 8" in words["attention"]
    assert words["network"] == f"{model.config['intermediate_size']} neurons, silu, gated"
    assert "head tied to the embedding" in words["sizes"]
    assert set(told["bytes_by_kind"]) == {"head", "matrix", "neurons", "vector"}
    table = " ".join(info(source).replace("│", " ").split())
    for line in (
        "yes, as qwen2",
        "biases of q, k, v",
        "when packed",
        "smallest budget",
        "attention",
    ):
        assert line in table, line
    assert not home.exists()
    assert facts(case("qwen3", 0).write(tmp_path / "other"))["graph"]["attention"].endswith(
        "over each head of keys"
    )


def test_the_parts_add_up(tmp_path: Path) -> None:
    told = facts(random_gguf.write(CASE, tmp_path / "m.gguf", "Q8_0"))
    packed = sum(told["bytes_by_kind"].values())
    assert (
        packed <= told["bytes"] <= packed + 8192 * (CASE.n_layers + 1) + 20000
    )  # headers and small files
    assert told["source"]["tensor_types"] == {"F32": 5, "Q8_0": 16}
    assert told["bytes_by_kind"]["rows"] == CASE.vocab_size * 68


@pytest.mark.parametrize("kind", ["gguf", "folder"])
def test_a_model_that_does_not_run_is_told_with_the_reason(tmp_path: Path, kind: str) -> None:
    if kind == "gguf":
        source = random_gguf.write(CASE, tmp_path / "m.gguf", "Q8_0", architecture="mamba")
        reason, architecture = "got 'mamba'", "mamba"
    else:
        source = random_llama.write_folder(CASE, tmp_path / "source", dtype="bf16")
        config = json.loads((source / "config.json").read_text())
        (source / "config.json").write_text(json.dumps(config | {"sliding_window": 8}))
        reason, architecture = "sliding_window = 8 is not supported", "LlamaForCausalLM"
    told = facts(source)
    assert told["runs"] is False
    assert reason in told["reason"]
    assert told["architecture"] == architecture
    assert told["parameters"] == sum(
        int(np.prod(shape)) for shape in random_llama.shapes(CASE).values()
    )
    assert told["tensor_types"] == ({"F32": 5, "Q8_0": 16} if kind == "gguf" else {"BF16": 21})
    assert "no: " in info(source)


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    path = random_gguf.write(CASE, tmp_path / "m.gguf")
    path.write_bytes(path.read_bytes()[:3000])
    done = CliRunner().invoke(app, ["info", str(path)])
    assert done.exit_code != 0
    assert "Was the download cut short?" in str(done.exception)
    assert CliRunner().invoke(app, ["info", str(tmp_path / "nothing")]).exit_code != 0


def test_a_file_with_holes_for_weights_is_answered_within_a_second(tmp_path: Path) -> None:
    path = random_gguf.write(
        random_llama.Case("big", 1, dim=512, hidden_dim=2048, n_layers=8), tmp_path / "m.gguf"
    )
    info(path)  # what has to be imported first
    best = min(_seconds(path) for _ in range(3))
    assert best < 1


def _seconds(path: Path) -> float:
    begin = time.process_time()  # of computing, whatever else the machine does
    info(path)
    return time.process_time() - begin


@pytest.mark.parametrize("shards", [1, 3])
def test_a_model_of_the_hub_is_answered_from_headers(tmp_path: Path, shards: int) -> None:
    big = random_llama.Case("big", 5, dim=256, hidden_dim=512, n_layers=3)
    source = random_llama.write_folder(big, tmp_path / "source", shards=shards)
    with fake_hub() as hub:
        hub.models["owner/model"] = {path.name: path.read_bytes() for path in source.iterdir()}
        environment = {**os.environ, **hub.environment(str(tmp_path / "hf"))}
        command = [sys.executable, "-m", "flashlm", "info", "owner/model", "--json"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        assert hub.sent < 0.3 * sum(len(data) for data in hub.models["owner/model"].values())
    told, expected = json.loads(done.stdout), facts(source)
    for name in set(expected) - {"folder", "source"}:
        assert told[name] == expected[name], name
    assert told["source"]["name"] == "owner/model"
    assert not list((tmp_path / "hf").rglob("*.safetensors"))

# SPDX-License-Identifier: Apache-2.0
"""What a hostile user types and owns gets one clear line that names it.

The line comes before the work, and nothing is left behind.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import flashlm
import random_llama
from flashlm import bench
from flashlm._cli.app import run_app
from flashlm.packing.graph import Graph, default_frequencies, rope
from small_disk import make_read_only, mounted

TEXT = "The moon is bright tonight and the sea is calm. " * 60
SILU = random_llama.case("grouped")
SHAPE = random_llama.config(dataclasses.replace(SILU, vocab_size=300))
HUGE = "99999999999999999999"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: with ReLU, with SiLU neuron by neuron and in groups; a shape; and texts.

    Read only.
    """
    place = tmp_path_factory.mktemp("models")
    random_llama.write_folder(random_llama.case("relu"), place / "relu")
    random_llama.write_folder(SILU, place / "silu")
    (place / "shape").mkdir()
    (place / "shape" / "config.json").write_text(json.dumps(SHAPE))
    flashlm.pack(place / "relu", place / "relu.flash")
    flashlm.pack(place / "silu", place / "silu.flash", neurons_per_bundle=1)
    flashlm.pack(place / "silu", place / "groups.flash")
    (place / "long.txt").write_text(TEXT)
    (place / "short.txt").write_text("Hi")
    (place / "empty.txt").write_text("")
    (place / "no_text.bin").write_bytes(b"\x80\x00\xff")
    return place


def contents(place: Path) -> dict[str, int]:
    return {str(path.relative_to(place)): path.stat().st_size for path in place.rglob("*")}


RUN = ["run", "relu.flash", "-p", "x", "-n", "1"]
TRAIN = ["train", "relu.flash", "--text", "long.txt"]
BENCH = ["bench", "--shape", "shape"]
THRESHOLDS = ["thresholds", "silu.flash", "--text", "long.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            [*RUN, "--memory", "nonsense"],
            "[language_model] memory: expected 'auto', bytes such as '4GiB'",
        ),
        ([*RUN, "--memory", "-5GiB"], "got '-5GiB'"),
        ([*RUN, "--memory", "1e300%"], "got '1e300%'"),
        ([*RUN, "--memory", "1"], "[memory_plan] budget: expected at least"),
        ([*RUN, "--context", HUGE], f"context: expected 1 to 2147483647, got {HUGE}"),
        ([*RUN, "--context", "100000"], "context: expected at most the model's"),
        ([*RUN, "--threads", "0"], "threads: expected 1 or more, got 0"),
        ([*RUN, "--threads", "4294967297"], "threads: expected 1 to 1024, got 4294967297"),
        ([*RUN, "--window", "4294967296"], "window: expected 1 to 2147483647, got 4294967296"),
        ([*RUN, "--top-k", HUGE], f"top_k: expected 0 to 2147483647, got {HUGE}"),
        ([*RUN, "--seed", "-1"], "seed: expected 0 or more, got -1"),
        ([*RUN, "--max-new-tokens", HUGE], "max_new_tokens: expected 0 to"),
        ([*RUN, "--selector", "predictor"], "got none. `flashlm train` makes one."),
        ([*RUN, "--selector", "threshold"], "expected a gated network with silu, got relu"),
        ([*RUN, "--selector", "nonsense"], "selector: expected one of auto, dense"),
        (
            ["run", "silu.flash", "-p", "x", "--selector", "gate"],
            "expected an activation that makes zeros, got silu",
        ),
        (
            ["run", "groups.flash", "-p", "x", "--selector", "predictor"],
            "Pack the model with neurons_per_bundle=1",
        ),
        (["pack", "silu", "new.flash", "--dtype", "nonsense"], "'q6_k', got 'nonsense'"),
        (["pack", "silu", "new.flash", "--neurons-per-bundle", "0"], "expected 1 or more, got 0"),
        ([*TRAIN[:-1], "short.txt"], "expected at least 320 tokens, got"),
        ([*TRAIN[:-1], "empty.txt"], "expected text, got 0 bytes of white space"),
        ([*TRAIN[:-1], "no_text.bin"], "expected UTF-8, got byte 0x80 at offset 0"),
        ([*TRAIN[:-1], "relu"], "Is a directory"),
        ([*TRAIN, "--tokens", "10"], "tokens: expected 320 or more, got 10"),
        ([*TRAIN, "--tokens", "-5"], "tokens: expected 320 or more, got -5"),
        ([*TRAIN, "--threads", "0"], "threads: expected 1 or more, got 0"),
        ([*TRAIN, "--memory", "half"], "got 'half'"),
        ([*TRAIN, "--out", "."], "expected the name of a file, got a folder"),
        ([*TRAIN, "--out", "missing/predictor"], "No such file or directory"),
        (
            ["train", "silu.flash", "--text", "long.txt"],
            "got silu (silu.flash). All of its neurons fire",
        ),
        (
            ["train", "groups.flash", "--text", "long.txt"],
            "`flashlm thresholds` leaves small ones out, lossily",
        ),
        (
            ["thresholds", "relu.flash", "--text", "long.txt"],
            "the selector 'gate' leaves those out and loses nothing",
        ),
        (["thresholds", "groups.flash", "--text", "long.txt"], "Pack it with neurons_per_bundle=1"),
        ([*THRESHOLDS[:-1], "short.txt"], "text: expected at least 16 tokens to calibrate, got 1"),
        (
            [*THRESHOLDS, "--lossy", "nan"],
            "[thresholds] sparsity: expected a finite number, got nan",
        ),
        ([*THRESHOLDS, "--memory", "half"], "got 'half'"),
        (
            [*BENCH, "--dtype", "nonsense"],
            (
                "[bench] dtype: expected f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q6_k, "
                "got 'nonsense'"
            ),
        ),
        ([*BENCH, "--memory", "nonsense"], "got 'nonsense'"),
        ([*BENCH, "--memory", "64KiB"], "[memory_plan] budget: expected at least"),
        (
            [*BENCH, "--memory", "1KiB", "--keep", "new.flash"],
            "[memory_plan] budget: expected at least",
        ),
        ([*BENCH, "--threads", "-1"], "threads: expected 1 or more, got -1"),
        ([*BENCH, "--tokens", HUGE], "[bench] tokens: expected 1 to"),
        ([*BENCH, "--context", "0"], "context: expected 1 or more, got 0"),
        (
            [*BENCH, "--context", "8"],
            "context: expected at least 48, which prompt and tokens need, got 8",
        ),
        ([*BENCH, "--context", "9999"], "context: expected at most the shape's 128, got 9999"),
        (
            [*BENCH, "--reader", "nonsense"],
            "[bench] reader: expected auto, threads, uring, got 'nonsense'",
        ),
        ([*BENCH, "--policy", "nonsense"], "policy: expected one of auto"),
        ([*BENCH, "--seed", "-1"], "[bench] seed: expected 0 or more, got -1"),
        ([*BENCH, "--selector", "nonsense"], "[bench] selector: expected dense"),
        ([*BENCH, "--keep", "relu"], "it exists already"),
        (
            [*BENCH, "--export", "gguf", "--output", "missing/x.gguf"],
            "[bench] export: No such file or directory",
        ),
        (
            ["bench", "--shape", "opt-1.3b", "--export", "gguf", "-o", "x.gguf"],
            "llama.cpp has no OPTForCausalLM",
        ),
        (["probe", "missing"], "No such file or directory (missing)"),
        (["probe", "/dev/null"], "expected a regular file (/dev/null)"),
        (["probe", ".", "--seconds", "nan"], "[probe] seconds: expected a finite number, got nan"),
    ],
)
def test_a_command_refuses_in_one_line_and_leaves_everything_as_it_was(  # noqa: PLR0917
    models: Path,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flashlm_home: Path,
) -> None:
    monkeypatch.chdir(models)
    before = contents(models), contents(flashlm_home)
    assert run_app(arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("flashlm: [")
    assert said in lines[-1]
    assert (contents(models), contents(flashlm_home)) == before


def test_a_pipe_is_no_model_and_a_file_is_no_home(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "model.gguf")
    with pytest.raises(
        flashlm.FormatError, match="expected a file or a folder, got something else"
    ):
        flashlm.pack(tmp_path / "model.gguf", tmp_path / "out.flash")
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("FLASHLM_HOME", str(tmp_path / "home"))
    with pytest.raises(flashlm.IoError, match=r"\[bench\] make a folder: File exists \(.*home\)"):
        bench.run(models / "shape", tokens=1, prompt=1)


def test_activations_beyond_all_numbers_end_training_and_leave_nothing(tmp_path: Path) -> None:
    case = random_llama.case("relu")
    source = random_llama.write_folder(case, tmp_path / "source")
    tensors = random_llama.weights(case)
    for part in ("gate", "up"):
        tensors[f"model.layers.1.mlp.{part}_proj.weight"] *= np.float32(
            1e30
        )  # finite, but their product is not
    save_file(tensors, source / "model.safetensors")
    folder = flashlm.pack(source, tmp_path / "loud.flash")
    (tmp_path / "long.txt").write_text(TEXT)
    before = contents(folder)
    with pytest.raises(flashlm.FormatError, match=r"finite.*layer 1"):
        flashlm.train(folder, tmp_path / "long.txt")
    assert contents(folder) == before


def test_thresholds_of_an_earlier_call_stay_when_a_later_one_fails(
    models: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(models / "silu.flash", tmp_path / "silu.flash"))

    def stop(stage: str, done: int, _total: int) -> None:
        if stage == "measure" and done and (folder / "thresholds.safetensors").is_file():
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            flashlm.add_thresholds(
                folder, TEXT, sparsity=0.3, compare=[0.5], memory="100%", progress=stop
            )
        assert not list(folder.glob("thresholds*"))
    flashlm.add_thresholds(folder, TEXT, sparsity=0.4, memory="100%")
    before = (folder / "thresholds.safetensors").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        flashlm.add_thresholds(folder, TEXT, sparsity=0.3, progress=stop)
    assert [path.name for path in folder.glob("thresholds*")] == ["thresholds.safetensors"]
    assert (folder / "thresholds.safetensors").read_bytes() == before


def test_a_gguf_of_a_shape_keeps_what_its_config_leaves_out_and_refuses_what_it_has_not(
    tmp_path: Path,
) -> None:
    shape = tmp_path / "config.json"
    shape.write_text(
        json.dumps({k: v for k, v in SHAPE.items() if k not in {"rope_theta", "architectures"}})
    )
    packed = flashlm.pack(
        bench.export(shape, tmp_path / "plain.gguf", "gguf"), tmp_path / "plain.flash"
    )
    graph = Graph.of_json(json.loads((packed / "flashlm.json").read_text())["graph"])
    assert graph.attention.rope == rope(
        graph.attention.head_dim, default_frequencies(graph.attention.head_dim, 10000.0)
    )
    shape.write_text(json.dumps(SHAPE | {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}))
    with pytest.raises(flashlm.ArgumentError, match="expected a shape without rope scaling"):
        bench.export(shape, tmp_path / "scaled.gguf", "gguf")


@pytest.mark.privileged
@pytest.mark.parametrize("form", ["kept", "gguf", "hf"])
def test_bench_on_a_full_disk_leaves_no_file(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    shape = models / "shape" / "config.json"
    actions: dict[str, Callable[[Path], Any]] = {
        "kept": lambda path: bench.run(shape, tokens=1, prompt=1, keep=path),
        "gguf": lambda path: bench.export(shape, path, "gguf"),
        "hf": lambda path: bench.export(shape, path, "hf"),
    }
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: usage
    )  # a disk that is filled by others meanwhile
    with mounted(tmp_path / "disk", "128k") as disk:
        with pytest.raises(flashlm.IoError, match="No space left") as caught:
            actions[form](disk / "model")
        assert caught.value.errno == errno.ENOSPC
        assert not list(disk.iterdir())


@pytest.mark.privileged
def test_selectors_on_a_full_disk_leave_the_model_as_it_was(models: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "1m") as disk:
        silu = Path(shutil.copytree(models / "silu.flash", disk / "silu.flash"))
        fill = disk / "fill"
        fill.write_bytes(bytes(shutil.disk_usage(disk).free - 8192))
        before = contents(disk)
        with pytest.raises(flashlm.IoError, match="No space left"):
            flashlm.add_thresholds(silu, TEXT)
        assert contents(disk) == before
        fill.unlink()
        flashlm.add_thresholds(silu, TEXT)
    with mounted(tmp_path / "other", "1m") as disk:
        relu = Path(shutil.copytree(models / "relu.flash", disk / "relu.flash"))
        fill = disk / "fill"
        fill.write_bytes(bytes(shutil.disk_usage(disk).free - 8192))
        with pytest.raises(flashlm.IoError, match="No space left"):
            flashlm.train(relu, models / "long.txt")
        with pytest.raises(flashlm.IoError, match="No space left"):
            flashlm.LanguageModel.from_pretrained(relu, selector="gate")
        assert not (relu / "gates.safetensors").exists()
        with flashlm.LanguageModel.from_pretrained(relu) as lm:
            assert lm.generate("The moon", max_new_tokens=2)


@pytest.mark.privileged
def test_a_disk_that_is_full_or_read_only_is_probed_by_a_file_that_is_there(
    models: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"seconds": 0.05, "depths": [1], "page_cache": True}
    with mounted(tmp_path / "disk", "1m") as disk:
        (disk / "file").write_bytes(bytes(900_000))
        with pytest.raises(
            flashlm.IoError, match=r"free space: expected .*No space left"
        ) as caught:
            flashlm.probe(disk, **options)
        assert caught.value.errno == errno.ENOSPC
        make_read_only(disk)
        with pytest.raises(flashlm.IoError, match=r"Read-only file system|No space left") as caught:
            flashlm.probe(disk, **options)
        assert flashlm.probe(disk / "file", **options).points
        assert [path.name for path in disk.iterdir()] == ["file"]
    with mounted(tmp_path / "model", "1m") as disk:
        folder = Path(shutil.copytree(models / "relu.flash", disk / "relu.flash"))
        make_read_only(disk)
        with flashlm.LanguageModel.from_pretrained(folder) as lm:
            assert lm.generate("The moon", max_new_tokens=2)
        with pytest.raises(flashlm.IoError, match="Read-only file system"):
            flashlm.LanguageModel.from_pretrained(folder, selector="gate")

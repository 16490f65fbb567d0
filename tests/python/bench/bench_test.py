# SPDX-License-Identifier: Apache-2.0
"""Models of random weights are written, measured and exported.

Every program computes the same with what was exported.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
from flashlm import _core, bench
from flashlm.bench import planted
from flashlm.bench.floors import disk_bytes_per_second, memory_bytes_per_second
from flashlm.bench.shapes import SHAPES, shape_config
from flashlm.bench.synthetic import synthetic_source
from flashlm.packing.options import Options
from flashlm.packing.writer import write_folder
from theirs import Theirs

DTYPES = ("f32", "f16", "bf16", "q8_0", "q4_0")
IDS = [3, 141, 59, 26, 270, 0, 7]


@pytest.fixture(scope="module")
def config(tiny_source: Path) -> dict[str, Any]:
    """A tiny shape with a head of its own, and rows of whole blocks."""
    sizes = {"tie_word_embeddings": False, "intermediate_size": 192}
    return {**json.loads((tiny_source / "config.json").read_text()), **sizes}


@pytest.fixture(scope="module")
def shape(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes") / "tiny-shape"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "config.json"


def logits(source: Path) -> np.ndarray[Any, Any]:
    with flashlm.LanguageModel.from_pretrained(source, memory="75%", context=64) as model:
        return model.logits(IDS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", ["gguf", "hf"])
def test_an_export_packed_again_gives_the_same_bits(
    shape: Path, tmp_path: Path, dtype: str, form: str
) -> None:
    expected = logits(bench.synthesize(shape, tmp_path / "random.flash", dtype=dtype))
    exported = bench.export(shape, tmp_path / f"random.{form}", form, dtype=dtype)
    packed = flashlm.pack(exported, tmp_path / "again.flash")
    if form == "hf" and dtype in {
        "q8_0",
        "q4_0",
    }:  # the same numbers in f32, beside which activations are not rounded
        assert np.max(np.abs(logits(packed) - expected)) < 4e-2 * np.max(np.abs(expected))
    else:
        assert np.array_equal(logits(packed), expected)
    assert not list(tmp_path.glob("*.partial"))


def test_an_opt_shape_is_written_and_exported_for_transformers(
    config: dict[str, Any], tmp_path: Path
) -> None:
    _, named = shape_config("opt-1.3b")
    sizes = {"hidden_size": 64, "word_embed_proj_dim": 64, "ffn_dim": 96, "num_hidden_layers": 2}
    heads = {
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "vocab_size": config["vocab_size"],
    }
    (tmp_path / "config.json").write_text(json.dumps({**named, **sizes, **heads}))
    expected = logits(
        bench.synthesize(tmp_path / "config.json", tmp_path / "random.flash", dtype="f32")
    )
    exported = bench.export(tmp_path / "config.json", tmp_path / "random.hf", "hf", dtype="f32")
    assert np.array_equal(logits(flashlm.pack(exported, tmp_path / "again.flash")), expected)


@pytest.mark.live
@pytest.mark.parametrize("dtype", DTYPES)
def test_transformers_computes_the_same_from_the_export(
    shape: Path, tmp_path: Path, need: Callable[[str], Any], theirs: Theirs, dtype: str
) -> None:
    exported = bench.export(shape, tmp_path / "hf", "hf", dtype=dtype)

    def ask() -> np.ndarray[Any, Any]:
        torch, transformers = need("torch"), need("transformers")
        model = transformers.AutoModelForCausalLM.from_pretrained(exported, dtype=torch.float32)
        with torch.no_grad():
            return np.asarray(model(torch.tensor([IDS])).logits[0].numpy())

    expected = theirs(ask, given=[exported / "model.safetensors", IDS], within=1e-5)
    ours = logits(flashlm.pack(exported, tmp_path / "packed.flash"))
    f32 = dtype in {"f32", "q8_0", "q4_0"}  # blocks are exported as f32
    tolerance = 1e-4 if f32 else 2e-2  # keys and values are f16 there
    assert np.max(np.abs(ours - expected)) < tolerance * np.max(np.abs(expected))


def test_a_synthetic_model_is_alive_and_verifies(shape: Path, tmp_path: Path) -> None:
    folder = bench.synthesize(shape, tmp_path / "random.flash")
    flashlm.verify(folder)
    values = logits(folder)
    assert np.all(np.isfinite(values))
    assert 0.3 < np.std(values) < 3
    assert len({int(np.argmax(row)) for row in values}) > 1
    other = bench.synthesize(shape, tmp_path / "other.flash", seed=1)
    assert not np.array_equal(logits(other), values)
    same = bench.synthesize(shape, tmp_path / "same.flash")
    assert (same / "flashlm.json").read_bytes() == (folder / "flashlm.json").read_bytes()


def test_a_step_gives_the_logits_of_the_whole_text(shape: Path, tmp_path: Path) -> None:
    folder = bench.synthesize(shape, tmp_path / "random.flash")
    model = _core.LanguageModel.open(folder, memory="75%", context=64)
    model.generate(IDS[:3], max_new_tokens=1)
    rows = np.stack([model.step(token) for token in IDS[3:]])
    assert model.stats.tokens == len(IDS) - 3
    assert np.array_equal(rows, logits(folder)[3:])
    with pytest.raises(flashlm.ArgumentError, match="id below"):
        model.step(1 << 20)


def test_no_row_of_a_large_matrix_comes_twice() -> None:
    source = synthetic_source("llama-2-7b", "q4_0")
    weight = source.weights["layers.0.up"]
    rows = np.concatenate(
        [weight.stored(begin, begin + 1) for begin in range(0, weight.n_rows, 16)]
    )
    assert len({row.tobytes() for row in rows}) == len(rows)
    assert weight.row_bytes == weight.n_columns // 32 * 18


@pytest.mark.parametrize("name", SHAPES)
def test_a_named_shape_has_the_size_of_its_name(name: str) -> None:
    config = shape_config(name)[1]
    dim, hidden = config["hidden_size"], config.get("intermediate_size") or config["ffn_dim"]
    kv = (
        config.get("num_key_value_heads", config["num_attention_heads"])
        / config["num_attention_heads"]
    )
    matrices = 3 if config["model_type"] == "llama" else 2
    layer = dim * dim * (2 + 2 * kv) + matrices * dim * hidden
    total = config["num_hidden_layers"] * layer + dim * config["vocab_size"] * (
        2 - config["tie_word_embeddings"]
    )
    size, unit = name.rsplit("-", 1)[1][:-1], {"m": 1e6, "b": 1e9}[name[-1]]
    assert total == pytest.approx(float(size) * unit, rel=0.05)


def test_a_run_reports_the_names_of_stats_beside_its_floors(shape: Path, tmp_path: Path) -> None:
    keep = tmp_path / "kept.flash"
    seen: set[str] = set()
    report = bench.run(
        shape,
        memory="75%",
        tokens=3,
        prompt=5,
        keep=keep,
        progress=lambda stage, done, total: seen.add(stage) if 0 <= done <= total else None,
    )
    answer = json.loads(json.dumps(report.to_dict()))
    assert answer["tokens"] == 3
    assert answer["prefill_tokens"] == answer["prompt_tokens"] == 5
    assert answer["planted"] is None
    assert answer["predicted_seconds_per_token"] is None
    assert answer["bytes_per_token"] > 0
    floors = answer["floors"]
    assert floors["dram_seconds_per_token"] > 0
    assert (
        floors["disk_seconds_per_token"]
        == answer["bytes_per_token"] / floors["disk_bytes_per_second"]["max"]
    )
    assert {"pack", "load", "decode"} <= seen
    seen.clear()
    bench.run(
        shape,
        memory="100%",
        tokens=3,
        prompt=5,
        keep=keep,
        progress=lambda stage, *_: seen.add(stage),
    )
    assert "pack" not in seen
    with pytest.raises(flashlm.ArgumentError, match=r"keep: expected .* seed 1"):
        bench.run(shape, seed=1, keep=keep)


def test_a_run_leaves_nothing_behind(shape: Path, flashlm_home: Path) -> None:
    bench.run(shape, tokens=1, prompt=1)
    assert not list(flashlm_home.glob("*bench-*"))


def refused(shape: Path, **options: Any) -> int:
    with pytest.raises(flashlm.BudgetError, match=r"budget: expected at least \d+ bytes") as caught:
        bench.run(shape, tokens=1, prompt=1, **options)
    smallest: int = caught.value.smallest_bytes
    assert f"at least {smallest} bytes" in str(caught.value)
    return smallest


@pytest.mark.parametrize("selector", ["dense", "predictor", "gate"])
def test_a_budget_that_is_too_small_is_refused_before_weights_are_written(
    sparse_shapes: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selector: str
) -> None:
    written: list[bool] = []

    def write(*arguments: Any, hollow: bool = False, **options: Any) -> Path:
        written.append(not hollow)
        return write_folder(*arguments, hollow=hollow, **options)

    monkeypatch.setattr("flashlm.bench.report.write_folder", write)
    keep = tmp_path / "kept.flash"
    shape = sparse_shapes["opt-6.7b"]
    options: dict[str, Any] = {"selector": selector, "keep": keep}
    smallest = refused(shape, memory="1KiB", context=64, **options)
    assert refused(shape, memory=smallest - 1, context=64, **options) == smallest
    assert (
        refused(shape, memory=smallest, context=256, **options) > smallest
    )  # it is eaten by the context
    assert not any(written)
    assert not list(tmp_path.iterdir())
    ran = bench.run(shape, memory=smallest, tokens=1, prompt=1, context=64, **options)
    assert ran.memory_plan["total"] <= smallest
    assert any(written)


def test_floors_are_rates(tmp_path: Path) -> None:
    assert memory_bytes_per_second(2, size=1 << 20)() > 0
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    rate, _ = disk_bytes_per_second(tmp_path / "file", seconds=0.05)
    assert rate > 0


@pytest.mark.parametrize(
    ("size", "read_bytes"), [(9000, None), (5 << 20, None), (5 << 20, 300_000), (64 << 20, 7e5)]
)
def test_the_floor_of_the_disk_is_that_of_reads_as_large_as_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, read_bytes: float | None
) -> None:
    (tmp_path / "file").write_bytes(bytes(size))
    asked: dict[str, Any] = {}
    real = _core.probe

    def probe(path: Path, **options: Any) -> Any:
        asked.update(options)
        return real(path, **options)

    monkeypatch.setattr(_core, "probe", probe)
    rate, _ = disk_bytes_per_second(tmp_path / "file", seconds=0.02, read_bytes=read_bytes)
    assert rate > 0
    if size == 9000:
        assert asked["chunk_bytes"] == [4096]
    # 5 MB is what the layers of a small model have: single pages of it are no measure of a stream
    else:
        assert asked["chunk_bytes"][0] >= 256 << 10
        assert max(asked["chunk_bytes"]) >= 1 << 20
    if read_bytes is not None:
        assert any(abs(chunk - read_bytes) <= 4096 for chunk in asked["chunk_bytes"])


def test_a_floor_above_the_measured_time_says_that_it_is_none(
    shape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    from flashlm._cli.measuring.bench import table

    report = bench.run(shape, memory="75%", tokens=2, prompt=2)
    slow = dataclasses.replace(report, disk_rates=[1.0], dram_rates=[1e30])
    fast = dataclasses.replace(report, disk_rates=[1e30], dram_rates=[1.0])
    for one, no_floor, floor in ((slow, "disk", "DRAM"), (fast, "DRAM", "disk")):
        Console(width=120).print(table(one))
        lines = [line for line in capsys.readouterr().out.splitlines() if "GB/s" in line]
        assert [f"NO FLOOR, as the run was faster: {no_floor}" in line for line in lines].count(
            True
        ) == 1
        assert [f" floor: {floor}" in line for line in lines].count(True) == 1
        told = one.to_dict()["floors"]
        assert (told["disk_is_floor"], told["dram_is_floor"]) == (floor == "disk", floor == "DRAM")


def test_what_makes_no_sense_is_refused(
    shape: Path, config: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(flashlm.ArgumentError, match=r"shape: expected .*llama-2-7b.* got 'gpt-5'"):
        bench.synthesize("gpt-5", tmp_path / "x")
    with pytest.raises(flashlm.ArgumentError, match=r"dtype: expected .*got 'q2_k'"):
        bench.synthesize(shape, tmp_path / "x", dtype="q2_k")
    with pytest.raises(flashlm.ArgumentError, match=r"format: expected gguf or hf"):
        bench.export(shape, tmp_path / "x", "onnx")
    with pytest.raises(flashlm.ArgumentError, match=r"tokens: expected 1 or more, got 0"):
        bench.run(shape, tokens=0)
    with pytest.raises(OSError, match=r"exists already"):
        bench.export(shape, tmp_path, "hf")
    odd = tmp_path / "odd.json"
    odd.write_text(json.dumps({**config, "hidden_size": 48, "head_dim": 12}))
    with pytest.raises(flashlm.ArgumentError, match=r"multiple of 32"):
        bench.synthesize(odd, tmp_path / "x", dtype="q8_0")
    odd.write_text(json.dumps({**config, "vocab_size": 100}))
    with pytest.raises(flashlm.FormatError, match=r"at least 257"):
        bench.synthesize(odd, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_llama_cpp_is_given_no_shape_that_it_lacks() -> None:
    from flashlm.bench._export import refuse_for_llama_cpp

    with pytest.raises(flashlm.ArgumentError, match=r"OPTForCausalLM"):
        refuse_for_llama_cpp(shape_config("opt-6.7b")[1])
    with pytest.raises(flashlm.ArgumentError, match=r"hidden_act 'relu'"):
        refuse_for_llama_cpp({**shape_config("llama-2-7b")[1], "hidden_act": "relu"})


@pytest.fixture(scope="module")
def sparse_shapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small shapes of both kinds of graph, large enough for statistics."""
    sizes: dict[str, dict[str, Any]] = {
        "opt-6.7b": {
            "hidden_size": 256,
            "word_embed_proj_dim": 256,
            "ffn_dim": 1024,
            "num_attention_heads": 4,
        },
        "llama-2-7b": {
            "hidden_size": 256,
            "intermediate_size": 704,
            "num_attention_heads": 4,
            "head_dim": 64,
        },
    }
    sizes["llama-2-7b"]["num_key_value_heads"] = 4
    shapes = {}
    for name, changes in sizes.items():
        config = {**shape_config(name)[1], **changes, "num_hidden_layers": 4, "vocab_size": 1024}
        folder = tmp_path_factory.mktemp("shapes") / f"small-{name}"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 256}))
        shapes[name] = folder / "config.json"
    return shapes


@pytest.mark.parametrize("name", ["opt-6.7b", "llama-2-7b"])
def test_planted_neurons_fire_as_often_as_planned(
    sparse_shapes: dict[str, Path], tmp_path: Path, name: str
) -> None:
    source = planted.planted_source(sparse_shapes[name], "f32")
    folder = write_folder(
        source, tmp_path / "planted.flash", Options.resolve(source, "source", "auto")
    )
    assert json.loads((folder / "flashlm.json").read_text())["layers"][0]["neurons_per_bundle"] == 1
    ids = planted.planted_text(source, 120)
    selecting = "gate" if source.graph.ffn.gated else "up"
    seen: list[tuple[float, float, float, float]] = []

    def on_layer(layer: int, x: np.ndarray[Any, Any], h: np.ndarray[Any, Any]) -> None:
        weight = source.weights[f"layers.{layer}.{selecting}"]
        assert isinstance(weight, planted.PlantedWeight)
        predicted, fires = weight.plan.predicted(x), h != 0
        window = np.mean([predicted[i : i + 5].any(axis=0).mean() for i in range(len(ids) - 5)])
        seen.append(
            (predicted.mean(), fires.mean(), (predicted & fires).sum() / fires.sum(), float(window))
        )

    with_activations = _core.LanguageModel.open(folder, memory="100%", context=128)
    with_activations.collect(ids, on_layer)
    share, firing, recall, window = np.mean(seen, axis=0)
    assert share == pytest.approx(0.10, abs=0.02)
    assert firing == pytest.approx(0.04, abs=0.01)
    assert 0.85 < recall < 1  # a real predictor, with errors
    assert window == pytest.approx(0.24, abs=0.05)
    said = planted.aggregated_windows(source, ids)
    assert said["predicted"] == pytest.approx(share, abs=0.03)
    assert said["windows"][4] == pytest.approx(window, abs=0.05)
    assert said["new"] == sorted(said["new"], reverse=True)


def test_a_planted_predictor_is_of_its_model(
    sparse_shapes: dict[str, Path], tmp_path: Path
) -> None:
    source = planted.planted_source(sparse_shapes["opt-6.7b"], "f16")
    folder = write_folder(
        source, tmp_path / "planted.flash", Options.resolve(source, "source", "auto")
    )
    planted.plant_predictor(folder, source)
    file = _core.Safetensors(folder / "predictor.safetensors")
    assert file.shape("layers.3.b") == [1024, 32 // 32 * 34]
    assert file.metadata()["model"] == _core.weights_fingerprint(folder)


def test_a_planted_predictor_selects_what_was_planted(sparse_shapes: dict[str, Path]) -> None:
    report = bench.run(
        sparse_shapes["llama-2-7b"],
        selector="predictor",
        policy="window",
        window=5,
        tokens=24,
        prompt=16,
        memory="75%",
    )
    assert report.planted is not None
    assert report.planted["selected"] == pytest.approx(report.planted["predicted"], abs=0.04)
    assert report.stats["hit_rate"] > 0.5


def test_a_planted_run_has_the_gate_selector_and_neurons_in_several_reads(
    sparse_shapes: dict[str, Path],
) -> None:
    options: dict[str, Any] = {
        "selector": "gate",
        "policy": "none",
        "tokens": 4,
        "prompt": 4,
        "memory": "75%",
    }
    one, several = (
        bench.run(sparse_shapes["llama-2-7b"], bundled=bundled, **options)
        for bundled in (True, False)
    )
    for report in (one, several):
        assert report.planted is not None
        assert (
            report.planted["predicted"] * 0.3
            < report.planted["selected"]
            < report.planted["predicted"] * 1.5
        )
    assert one.stats["selected"] == several.stats["selected"]
    assert several.stats["reads"] > one.stats["reads"]


def test_a_planted_run_says_what_was_planted(sparse_shapes: dict[str, Path]) -> None:
    report = bench.run(
        sparse_shapes["opt-6.7b"], dtype="f16", planted=True, tokens=4, prompt=4, memory="75%"
    )
    answer = json.loads(json.dumps(report.to_dict()))
    assert answer["tokens"] == 4
    assert len(answer["planted"]["windows"]) == 10
    assert answer["planted"]["selected"] == 1  # dense takes all
    assert "Planted are the statistics of firing" in answer["note"]
    with pytest.raises(flashlm.ArgumentError, match="single neurons"):
        bench.run(sparse_shapes["opt-6.7b"], dtype="q8_0", planted=True)
    with pytest.raises(flashlm.ArgumentError, match="dense or predictor or gate"):
        bench.run(sparse_shapes["opt-6.7b"], selector="telepathy")

# SPDX-License-Identifier: Apache-2.0
"""What pack writes: every tensor and every bundle, against the numbers that went in."""

from __future__ import annotations

import dataclasses
import json
import tracemalloc
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flashlm
import random_gguf
import random_llama
from flashlm import _core
from random_llama import CASES, Case

Tensors = dict[str, np.ndarray[Any, Any]]
_FLASHLM_NAMES = {
    "input_layernorm": "attention_norm",
    "self_attn.q_proj": "q",
    "self_attn.k_proj": "k",
    "self_attn.v_proj": "v",
    "self_attn.o_proj": "o",
    "post_attention_layernorm": "ffn_norm",
}


def manifest(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(_core.read_manifest(str(folder)))
    return value


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    return np.dtype({"f32": np.float32, "f16": np.float16}[dtype])


def expected_resident(weights: Tensors, dtype: str) -> Tensors:
    """What resident.safetensors holds, by its names."""
    result: Tensors = {}
    for name, weight in weights.items():
        stem = name.removesuffix(".weight")
        if ".mlp." in stem:
            continue
        short = {"model.embed_tokens": "embedding", "model.norm": "final_norm", "lm_head": "head"}.get(stem)
        if short is None:
            _, _, layer, rest = stem.split(".", 3)
            short = f"layers.{layer}.{_FLASHLM_NAMES[rest]}"
        result[short] = weight.astype(numpy_dtype(dtype) if weight.ndim > 1 else np.float32)
    return result


def expected_bundles(weights: Tensors, layer: int, record: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The tensor of one layer, laid out by plain loops: gate rows, up rows, down columns, zeros."""
    prefix, dtype = f"model.layers.{layer}.mlp.", numpy_dtype(record["dtype"])
    matrices = [
        weights[prefix + "gate_proj.weight"].astype(dtype),
        weights[prefix + "up_proj.weight"].astype(dtype),
        weights[prefix + "down_proj.weight"].T.astype(dtype),
    ]
    per_bundle, n = record["neurons_per_bundle"], record["neurons"]
    result = np.zeros((-(-n // per_bundle), record["stride"]), np.uint8)
    row_bytes = record["dim"] * dtype.itemsize
    for index, matrix in enumerate(matrices):
        for neuron in range(n):
            at = (index * per_bundle + neuron % per_bundle) * row_bytes
            result[neuron // per_bundle, at : at + row_bytes] = np.ascontiguousarray(matrix[neuron]).view(np.uint8)
    return result


def assert_holds(folder: Path, weights: Tensors, dtype: str) -> None:
    """The folder holds exactly these weights."""
    expected = expected_resident(weights, dtype)
    resident = _core.Safetensors(str(folder / "resident.safetensors"))
    assert sorted(resident.names()) == sorted(expected)
    for name, array in expected.items():
        got = resident.read(name)
        assert got.dtype == array.dtype, name
        np.testing.assert_array_equal(got, array, err_msg=name)
    for layer, record in enumerate(manifest(folder)["layers"]):
        assert record["dtype"] == dtype
        file = _core.Safetensors(str(folder / record["file"]))
        np.testing.assert_array_equal(file.read(record["tensor"]), expected_bundles(weights, layer, record))
    assert len(manifest(folder)["layers"]) == sum(name.endswith("gate_proj.weight") for name in weights)
    _core.verify(str(folder))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", ["source", "f16", "f32"])
def test_a_hugging_face_folder_keeps_its_numbers(case: Case, dtype: str, tmp_path: Path) -> None:
    source = random_llama.write_folder(case, tmp_path / "source")
    folder = flashlm.pack(source, tmp_path / "out.flash", dtype=dtype)
    assert_holds(folder, random_llama.weights(case), "f16" if dtype == "f16" else "f32")
    assert manifest(folder)["dtype"] == ("f16" if dtype == "f16" else "f32")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_gguf_file_keeps_its_numbers_and_gets_its_query_rows_back(case: Case, tmp_path: Path) -> None:
    if case.rope_scaling is not None:
        case = dataclasses.replace(case, rope_scaling=None)
    source = random_gguf.write(case, tmp_path / "model.gguf")
    folder = flashlm.pack(source, tmp_path / "out.flash")
    assert_holds(folder, random_llama.weights(case), "f32")
    config = json.loads((folder / "config.json").read_text())
    for key, value in random_llama.config(case).items():
        assert config[key] == (pytest.approx(value) if isinstance(value, float) else value), key


def test_shards_are_read_through_their_index(tmp_path: Path) -> None:
    case = random_llama.case("grouped")
    source = random_llama.write_folder(case, tmp_path / "source", shards=3)
    assert_holds(flashlm.pack(source, tmp_path / "out.flash"), random_llama.weights(case), "f32")


def test_f16_stays_f16_and_norms_become_f32(tmp_path: Path) -> None:
    case = random_llama.case("grouped")
    source = random_llama.write_folder(case, tmp_path / "source", dtype="f16")
    assert_holds(flashlm.pack(source, tmp_path / "out.flash"), random_llama.weights(case), "f16")


def test_bf16_becomes_f32_exactly(tmp_path: Path) -> None:
    case = random_llama.case("odd")
    source = random_llama.write_folder(case, tmp_path / "source", dtype="bf16")
    weights = {
        name: random_llama.from_bf16_bits(random_llama.bf16_bits(weight))
        for name, weight in random_llama.weights(case).items()
    }
    assert_holds(flashlm.pack(source, tmp_path / "out.flash"), weights, "f32")


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
@pytest.mark.parametrize("dtype", ["source", "f32"])
def test_every_tensor_type_is_read_as_the_gguf_package_reads_it(kind: str, dtype: str, tmp_path: Path) -> None:
    case = random_llama.case("grouped")
    source = random_gguf.write(case, tmp_path / "model.gguf", kind)
    folder = flashlm.pack(source, tmp_path / "out.flash", dtype=dtype)
    wanted = "f32" if dtype == "f32" or kind == "BF16" else "f16"
    assert_holds(folder, random_gguf.dequantised(case, kind), wanted)
    assert manifest(folder)["source"]["tensor_types"][kind] > 0


def test_one_matrix_that_needs_f32_makes_the_folder_f32(tmp_path: Path) -> None:
    case = random_llama.case("grouped")
    source = random_gguf.write(case, tmp_path / "model.gguf", "Q8_0", kinds={"token_embd.weight": "F32"})
    weights = random_gguf.dequantised(case, "Q8_0")
    name = "model.embed_tokens.weight"
    weights[name] = random_llama.weights(case)[name]
    assert_holds(flashlm.pack(source, tmp_path / "out.flash"), weights, "f32")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    heads=st.sampled_from([(1, 1), (2, 1), (3, 3), (4, 2)]),
    head_dim=st.sampled_from([2, 6, 8]),
    dim=st.integers(1, 40),
    hidden_dim=st.integers(1, 80),
    per_bundle=st.sampled_from([1, 3, 32, 100, "auto"]),
    dtype=st.sampled_from(["f16", "f32"]),
    tied=st.booleans(),
    use_gguf=st.booleans(),
)
def test_any_sizes_survive(  # noqa: PLR0917
    tmp_path_factory: pytest.TempPathFactory,
    heads: tuple[int, int],
    head_dim: int,
    dim: int,
    hidden_dim: int,
    per_bundle: int | str,
    dtype: str,
    tied: bool,
    use_gguf: bool,
) -> None:
    case = Case(
        "any", 7, dim, hidden_dim, n_layers=2, n_heads=heads[0], n_kv_heads=heads[1], head_dim=head_dim, tied=tied
    )
    place = tmp_path_factory.mktemp("any")
    if use_gguf:
        source = random_gguf.write(case, place / "model.gguf")
    else:
        source = random_llama.write_folder(case, place / "source")
    folder = flashlm.pack(source, place / "out.flash", dtype=dtype, neurons_per_bundle=per_bundle)
    assert_holds(folder, random_llama.weights(case), dtype)
    expected = 32 if per_bundle == "auto" else per_bundle
    assert {layer["neurons_per_bundle"] for layer in manifest(folder)["layers"]} == {min(int(expected), hidden_dim)}


def test_small_files_are_copied_as_they_are_or_derived(tmp_path: Path) -> None:
    case = random_llama.case("grouped")
    source = random_llama.write_folder(case, tmp_path / "source")
    (source / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": "{{ messages }}", "eos_token": "<|end|>"})
    )
    (source / "generation_config.json").unlink()
    (source / "pytorch_model.bin").write_bytes(b"never read")
    folder = flashlm.pack(source, tmp_path / "out.flash")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (folder / name).read_bytes() == (source / name).read_bytes()
    assert (folder / "chat_template.jinja").read_text() == "{{ messages }}"
    assert json.loads((folder / "generation_config.json").read_text()) == {"bos_token_id": 99, "eos_token_id": 100}
    assert not (folder / "pytorch_model.bin").exists()
    assert {file["name"] for file in manifest(folder)["files"]} == {
        path.name for path in folder.iterdir() if path.name != "flashlm.json"
    }


def test_a_gguf_brings_template_tokenizer_and_the_end_of_a_turn(tmp_path: Path) -> None:
    case = random_llama.case("grouped")

    def add(writer: Any, _: Any) -> None:
        writer.add_eot_token_id(case.vocab_size - 2)

    folder = flashlm.pack(random_gguf.write(case, tmp_path / "model.gguf", change=add), tmp_path / "out.flash")
    assert (folder / "chat_template.jinja").read_text() == random_gguf.TEMPLATE
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == [100, 99]
    tokenizer = _core.Tokenizer.open(str(folder / "tokenizer.json"))
    assert tokenizer.decode(tokenizer.encode("the moon")) == "the moon"
    assert tokenizer.id("<|end|>") == 100


def test_llama3_factors_become_llama3_scaling(tmp_path: Path) -> None:
    from flashlm.pack.gguf import llama3_factors

    scaling = {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    case = dataclasses.replace(random_llama.case("grouped"), head_dim=64, n_heads=1, n_kv_heads=1, rope_theta=500000.0)
    factors = llama3_factors(scaling, case.rope_theta, 64).astype(np.float32)
    assert factors.min() == 1
    assert factors.max() == 32

    def add(_: Any, arrays: Tensors) -> None:
        arrays["rope_freqs.weight"] = factors

    folder = flashlm.pack(random_gguf.write(case, tmp_path / "one.gguf", change=add), tmp_path / "one.flash")
    assert json.loads((folder / "config.json").read_text())["rope_scaling"] == scaling
    factors[3] += 0.5
    with pytest.raises(flashlm.FormatError, match=r"rope_freqs\.weight"):
        flashlm.pack(random_gguf.write(case, tmp_path / "two.gguf", change=add), tmp_path / "two.flash")


def test_linear_scaling_of_a_gguf_is_kept(tmp_path: Path) -> None:
    def add(writer: Any, _: Any) -> None:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(4.0)

    source = random_gguf.write(random_llama.case("grouped"), tmp_path / "model.gguf", change=add)
    config = json.loads((flashlm.pack(source, tmp_path / "out.flash") / "config.json").read_text())
    assert config["rope_scaling"] == {"rope_type": "linear", "factor": 4.0}


def test_packing_holds_neither_the_model_nor_its_largest_tensor(tmp_path: Path) -> None:
    case = Case("large", 11, dim=256, hidden_dim=512, n_layers=4, vocab_size=60000, tied=True)
    source = random_llama.write_folder(case, tmp_path / "source")
    tracemalloc.start()
    try:
        flashlm.pack(source, tmp_path / "out.flash", dtype="f16")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (source / "model.safetensors").stat().st_size > 60e6
    assert peak < 24e6


def test_progress_counts_every_byte_once(tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    source = random_llama.write_folder(random_llama.case("odd"), tmp_path / "source")
    folder = flashlm.pack(source, tmp_path / "out.flash", progress=lambda *call: calls.append(call))
    sizes = [file["bytes"] - file["header_bytes"] for file in manifest(folder)["files"] if "header_bytes" in file]
    assert {call[0] for call in calls} == {"pack"}
    assert [call[1] for call in calls] == sorted(call[1] for call in calls)
    assert calls[0][1] == 0
    assert calls[-1][1:] == (sum(sizes), sum(sizes))


def test_two_packs_of_one_source_are_the_same_bytes(tmp_path: Path) -> None:
    source = random_llama.write_folder(random_llama.case("tied"), tmp_path / "source")
    one, two = flashlm.pack(source, tmp_path / "1.flash"), flashlm.pack(source, tmp_path / "2.flash")
    assert contents(one) == contents(two)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}

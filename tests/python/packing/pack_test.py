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
from hypothesis import given, settings
from hypothesis import strategies as st

import flashlm
import random_gguf
import random_llama
from flashlm import _core
from flashlm._cli.model.formats import tensor_dtypes
from flashlm.packing.formats.dtypes import QUANTISED
from flashlm.packing.graph import default_frequencies, llama3_frequencies
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


def stored(weight: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Numbers as bytes, row by row, rounded by the `gguf` package."""
    rows = np.ascontiguousarray(np.atleast_2d(weight), np.float32)
    if dtype in {"f32", "f16"}:
        return rows.astype({"f32": "<f4", "f16": "<f2"}[dtype]).view(np.uint8)
    data = gguf.quants.quantize(rows, gguf.GGMLQuantizationType[dtype.upper()])
    return np.ascontiguousarray(data).view(np.uint8).reshape(len(rows), -1)


def expected_resident(weights: Tensors) -> Tensors:
    """What resident.safetensors holds, by its names."""
    result: Tensors = {}
    for name, weight in weights.items():
        stem = name.removesuffix(".weight")
        if ".mlp." in stem:
            continue
        short = {
            "model.embed_tokens": "embedding",
            "model.norm": "final_norm",
            "lm_head": "head",
        }.get(stem)
        if short is None:
            _, _, layer, rest = stem.split(".", 3)
            short = f"layers.{layer}.{_FLASHLM_NAMES[rest]}"
        result[short] = weight
    return result


def tiles(rows: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Rows of blocks [n, bytes] in tiles [strips, bytes], by plain loops (docs/format.md)."""
    if dtype not in {"q8_0", "q4_0"}:  # products of tiles are compared with those of rows
        return _core.to_tiles(np.ascontiguousarray(rows), dtype).reshape(-(-len(rows) // 32), -1)
    block_bytes = {"q8_0": 34, "q4_0": 18}[dtype]
    padded = np.zeros((-(-len(rows) // 32) * 32, rows.shape[1]), np.uint8)
    padded[: len(rows)] = rows
    pieces: list[np.ndarray[Any, Any]] = []
    for strip in padded.reshape(-1, 32, rows.shape[1]):
        for at in range(0, rows.shape[1], block_bytes):
            scales, packed = strip[:, at : at + 2], strip[:, at + 2 : at + block_bytes]
            pieces.append(scales.reshape(-1))
            if dtype == "q8_0":
                pieces += [packed[:, k : k + 4].reshape(-1) for k in range(0, 32, 4)]
                continue
            quants = np.concatenate((packed & 15, packed >> 4), axis=1)
            pieces += [
                (quants[:, k : k + 4] | quants[:, k + 4 : k + 8] << 4).reshape(-1)
                for k in range(0, 32, 8)
            ]
    return np.concatenate(pieces).astype(np.uint8).reshape(len(padded) // 32, -1)


def expected_bundles(
    weights: Tensors, layer: int, record: dict[str, Any]
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The tensor of one layer, laid out by plain loops: gate rows, up rows, down columns, zeros."""
    prefix, dtype = f"model.layers.{layer}.mlp.", record["dtype"]
    per_bundle, n = record["neurons_per_bundle"], record["neurons"]
    gate, up, down = (weights[f"{prefix}{name}_proj.weight"] for name in ("gate", "up", "down"))
    result = np.zeros((-(-n // per_bundle), record["stride"]), np.uint8)
    if dtype in {"q8_0", "q4_0"}:
        blocks = stored(down, dtype).reshape(len(down), len(result), -1)
        strips = [tiles(stored(gate, dtype), dtype), tiles(stored(up, dtype), dtype)]
        for bundle, row in enumerate(result):
            parts = [
                strips[0][bundle],
                strips[1][bundle],
                tiles(blocks[:, bundle], dtype).reshape(-1),
            ]
            together = np.concatenate(parts)
            row[: len(together)] = together
        return result
    matrices = [stored(gate, dtype), stored(up, dtype), stored(down.T, dtype)]
    row_bytes = matrices[0].shape[1]
    for index, matrix in enumerate(matrices):
        for neuron in range(n):
            at = (index * per_bundle + neuron % per_bundle) * row_bytes
            result[neuron // per_bundle, at : at + row_bytes] = matrix[neuron]
    return result


def assert_holds_network(folder: Path, weights: Tensors, layer: int, dtype: str) -> None:
    """The matrices of a layer's network lie in a file of their own, in the order of a pass."""
    path = folder / f"ffn-{layer:05d}.safetensors"
    file, prefix = _core.Safetensors(str(path)), f"model.layers.{layer}.mlp."
    whole = b""
    for part in ("gate", "up", "down"):
        name, weight = f"layers.{layer}.{part}", weights[f"{prefix}{part}_proj.weight"]
        if dtype in QUANTISED:
            expected = tiles(stored(weight, dtype), dtype)
            assert file.metadata()[f"dtype.{name}"] == dtype
            assert file.shape(name) == list(expected.shape)
        else:
            weight = weight.T if part == "down" else weight
            expected = stored(weight, dtype)
            assert file.dtype(name) == dtype.upper()
            assert file.shape(name) == list(weight.shape)
        whole += expected.tobytes()
    data = path.read_bytes()
    assert data[8 + int.from_bytes(data[:8], "little") :] == whole


def assert_holds(folder: Path, weights: Tensors, dtype: str, ends: str | None = None) -> None:
    """The folder holds exactly these weights, the matrices in that format, embedding and head perhaps in another."""
    expected = expected_resident(weights)
    file = _core.Safetensors(str(folder / "resident.safetensors"))
    data = (folder / "resident.safetensors").read_bytes()
    header_bytes = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:header_bytes])
    assert sorted(file.names()) == sorted(expected)
    for name, weight in expected.items():
        wanted = dtype if weight.ndim > 1 else "f32"
        if name in {"embedding", "head"}:
            wanted = ends or wanted
        blocks = wanted in QUANTISED
        assert header[name]["dtype"] == ("U8" if blocks else wanted.upper())
        assert file.metadata().get(f"dtype.{name}") == (wanted if blocks else None)
        bytes_ = stored(weight, wanted)
        if blocks and name.startswith("layers."):
            bytes_ = tiles(bytes_, wanted)
        assert file.shape(name) == (list(bytes_.shape) if blocks else list(weight.shape))
        begin, end = header[name]["data_offsets"]
        got = np.frombuffer(data[header_bytes + begin : header_bytes + end], np.uint8)
        np.testing.assert_array_equal(got, bytes_.reshape(-1), err_msg=name)
    records = manifest(folder)["layers"]
    n_layers = sum(name.endswith("gate_proj.weight") for name in weights)
    assert len(records) in {0, n_layers}
    for layer, record in enumerate(records):
        assert record["dtype"] == dtype
        file = _core.Safetensors(str(folder / record["file"]))
        np.testing.assert_array_equal(
            file.read(record["tensor"]), expected_bundles(weights, layer, record)
        )
    for layer in range(0 if records else n_layers):
        assert_holds_network(folder, weights, layer, dtype)
    assert manifest(folder)["dtype"] == dtype
    _core.verify(str(folder))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", ["source", "f16", "f32"])
def test_a_hugging_face_folder_keeps_its_numbers(case: Case, dtype: str, tmp_path: Path) -> None:
    source = random_llama.write_folder(case, tmp_path / "source")
    folder = flashlm.pack(source, tmp_path / "out.flash", dtype=dtype)
    assert_holds(folder, random_llama.weights(case), "f16" if dtype == "f16" else "f32")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_gguf_file_keeps_its_numbers_and_gets_its_query_rows_back(
    case: Case, tmp_path: Path
) -> None:
    if case.rope_scaling is not None:
        case = dataclasses.replace(case, rope_scaling=None)
    source = random_gguf.write(case, tmp_path / "model.gguf")
    folder = flashlm.pack(source, tmp_path / "out.flash")
    assert_holds(folder, random_llama.weights(case), "f32")
    plain = random_llama.write_folder(
        dataclasses.replace(case, rope_scaling=None), tmp_path / "source"
    )
    expected = manifest(flashlm.pack(plain, tmp_path / "plain.flash"))
    told = manifest(folder)
    epsilon = told["graph"]["final_norm"].pop("epsilon")  # a float32 number there
    assert epsilon == pytest.approx(expected["graph"]["final_norm"].pop("epsilon"))
    for layer in (
        *told["graph"]["stacks"][0]["layer_kinds"],
        *expected["graph"]["stacks"][0]["layer_kinds"],
    ):
        for part in layer["parts"]:
            assert part["before"].pop("epsilon") == pytest.approx(epsilon)
    for key in ("family", "graph", "tokens"):
        assert told[key] == expected[key], key


def test_matrices_lie_as_a_pass_needs_them_and_a_folder_of_any_order_gives_the_same_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = random_llama.case("grouped")
    source = random_llama.write_folder(case, tmp_path / "source", dtype="f16")
    folder = flashlm.pack(source, tmp_path / "new.flash")
    attention = [f"layers.{layer}.{name}" for layer in range(case.n_layers) for name in "qvko"]
    untied = [] if case.tied else ["head"]
    names = _core.Safetensors(str(folder / "resident.safetensors")).names()
    assert names[: len(attention) + len(untied) + 1] == [*attention, *untied, "embedding"]

    def sorted_writer(*arguments: Any, **_: Any) -> _core.SafetensorsWriter:
        return by_size(*arguments)

    by_size = _core.SafetensorsWriter
    monkeypatch.setattr(_core, "SafetensorsWriter", sorted_writer)
    old = flashlm.pack(source, tmp_path / "old.flash")
    assert _core.Safetensors(str(old / "resident.safetensors")).names() != names
    for memory in ("100%", "60%"):
        new, sorted_by_size = (
            _core.LanguageModel.open(path, memory=memory, context=32).logits([3, 1, 4])
            for path in (folder, old)
        )
        np.testing.assert_array_equal(new, sorted_by_size)


def test_shards_are_read_through_their_index(tmp_path: Path) -> None:
    case = random_llama.case("grouped")
    source = random_llama.write_folder(case, tmp_path / "source", shards=3)
    assert_holds(flashlm.pack(source, tmp_path / "out.flash"), random_llama.weights(case), "f32")


def test_f16_stays_f16_and_norms_become_f32(tmp_path: Path) -> None:
    case = random_llama.case("grouped")
    source = random_llama.write_folder(case, tmp_path / "source", dtype="f16")
    assert_holds(flashlm.pack(source, tmp_path / "out.flash"), random_llama.weights(case), "f16")


def test_bf16_stays_bf16(tmp_path: Path) -> None:
    case = random_llama.case("odd")
    source = random_llama.write_folder(case, tmp_path / "source", dtype="bf16")
    weights = {
        name: random_llama.from_bf16_bits(random_llama.bf16_bits(weight))
        for name, weight in random_llama.weights(case).items()
    }
    folder = flashlm.pack(source, tmp_path / "out.flash")
    assert_holds(folder, weights, "bf16")
    assert "rounding_error" not in manifest(folder)["source"]
    assert_holds(flashlm.pack(source, tmp_path / "f32.flash", dtype="f32"), weights, "f32")


KINDS = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "MXFP4")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["source", "f32"])
def test_every_tensor_type_is_read_as_the_gguf_package_reads_it(
    kind: str, dtype: str, tmp_path: Path
) -> None:
    case = random_llama.case("grouped")
    source = random_gguf.write(case, tmp_path / "model.gguf", kind)
    folder = flashlm.pack(source, tmp_path / "out.flash", dtype=dtype)
    assert_holds(
        folder,
        random_gguf.dequantised(case, kind),
        "f32" if dtype == "f32" else kind.lower(),
    )
    assert manifest(folder)["source"]["tensor_types"][kind] > 0
    assert "rounding_error" not in manifest(folder)["source"]


def test_a_type_that_is_not_native_becomes_f16(tmp_path: Path) -> None:
    case = dataclasses.replace(random_llama.case("grouped"), dim=256, hidden_dim=256)
    source = random_gguf.write(case, tmp_path / "model.gguf", "TQ1_0")
    folder = flashlm.pack(source, tmp_path / "out.flash")
    assert_holds(folder, random_gguf.dequantised(case, "TQ1_0"), "f16")


@pytest.mark.parametrize("dtype", ["q8_0", "q4_0"])
@pytest.mark.parametrize("name", ["grouped", "tied"])
def test_blocks_of_a_gguf_are_kept_as_they_are(name: str, dtype: str, tmp_path: Path) -> None:
    case = random_llama.case(name)
    native = flashlm.pack(
        random_gguf.write(case, tmp_path / "model.gguf", dtype.upper()), tmp_path / "native.flash"
    )
    assert_holds(native, random_llama.weights(case), dtype)
    # The same blocks, whether the gguf package made them or pack, which keeps more bits of
    # embedding and head.
    made = flashlm.pack(
        random_llama.write_folder(case, tmp_path / "source"), tmp_path / "made.flash", dtype=dtype
    )
    assert_holds(made, random_llama.weights(case), dtype, ends="q8_0")
    same = ("resident.safetensors", "ffn-00000.safetensors")
    for file in same[dtype == "q4_0" :]:
        assert (native / file).read_bytes() == (made / file).read_bytes()


@pytest.mark.parametrize("dtype", ["f16", "bf16", "q8_0", "q4_0"])
@pytest.mark.parametrize("kind", ["F32", "Q8_0", "Q4_1"])
def test_what_requantising_loses_is_told(kind: str, dtype: str, tmp_path: Path) -> None:
    case = random_llama.case("grouped")
    weights = random_gguf.dequantised(case, kind)
    folder = flashlm.pack(
        random_gguf.write(case, tmp_path / "model.gguf", kind), tmp_path / "out.flash", dtype=dtype
    )
    if kind == "F32" and dtype == "f16":
        assert (
            "rounding_error" not in manifest(folder)["source"]
        )  # the numbers of this case are f16 numbers
        return
    if (kind, dtype) == ("Q8_0", "q8_0"):
        assert "rounding_error" not in manifest(folder)["source"]
        return
    told = manifest(folder)["source"]["rounding_error"]
    parts = {"embed_tokens": "embedding", "lm_head": "head"}
    parts |= {f"{name}_proj": name for name in ("q", "k", "v", "o", "gate", "up", "down")}
    exact = {"embedding", "head"} if (kind, dtype) == ("Q8_0", "q4_0") else set()
    assert sorted(told) == sorted({*parts.values()} - exact)
    for part, short in parts.items():
        rounded_to = "q8_0" if dtype == "q4_0" and short in {"embedding", "head"} else dtype
        if (kind, rounded_to) == ("Q8_0", "q8_0"):
            assert short not in told
            continue
        squares = errors = 0.0
        for name, weight in weights.items():
            if f"{part}.weight" in name:
                rounded = gguf.quants.dequantize(
                    stored(weight, rounded_to), gguf.GGMLQuantizationType[rounded_to.upper()]
                )
                squares += float(np.sum(weight.astype(np.float64) ** 2))
                errors += float(
                    np.sum((rounded.reshape(weight.shape) - weight.astype(np.float64)) ** 2)
                )
        assert told[short] == pytest.approx(np.sqrt(errors / squares), rel=1e-9)
        low, high = {
            "f16": (1e-5, 5e-4),
            "bf16": (1e-4, 4e-3),
            "q8_0": (1e-3, 1e-2),
            "q4_0": (0.03, 0.12),
        }[rounded_to]
        assert low < told[short] < high


def test_each_matrix_keeps_its_own_format_and_a_mixed_layer_gets_one_that_holds_all(
    tmp_path: Path,
) -> None:
    case = dataclasses.replace(random_llama.case("grouped"), n_layers=5)
    kinds = {
        "token_embd.weight": "F32",
        "output.weight": "Q5_1",
        "blk.0.attn_q.weight": "Q4_0",
        "blk.1.ffn_down.weight": "Q5_0",  # like the layers to which llama.cpp gives more bits
        "blk.2.ffn_gate.weight": "BF16",
        "blk.3.ffn_up.weight": "F32",
    }
    folder = flashlm.pack(
        random_gguf.write(case, tmp_path / "m.gguf", "Q8_0", kinds=kinds), tmp_path / "out.flash"
    )
    told = manifest(folder)
    assert told["dtype"] == "mixed"
    assert told["layers"] == []
    dtypes = tensor_dtypes(folder, told)
    others = {
        name: dtype
        for name, dtype in dtypes.items()
        if name.rpartition(".")[2] in {"gate", "up", "down"} and dtype != "q8_0"
    }
    assert others == {"layers.1.down": "q5_0", "layers.2.gate": "bf16", "layers.3.up": "f32"}
    assert "rounding_error" not in told["source"]
    metadata = _core.Safetensors(str(folder / "resident.safetensors")).metadata()
    file = _core.Safetensors(str(folder / "resident.safetensors"))
    assert (file.dtype("embedding"), metadata["dtype.head"]) == ("F32", "q5_1")
    assert metadata["dtype.layers.0.q"] == "q4_0"
    assert metadata["dtype.layers.0.k"] == metadata["dtype.layers.1.q"] == "q8_0"
    with flashlm.LanguageModel.from_pretrained(folder, memory="80%") as lm:
        assert np.isfinite(lm.logits(case.tokens)).all()


def test_rows_that_are_no_whole_blocks_become_f16(tmp_path: Path) -> None:
    case = random_llama.case("head_dim")  # dim 48, 96 columns of o, 37 neurons
    source = random_llama.write_folder(case, tmp_path / "source")
    folder = flashlm.pack(source, tmp_path / "out.flash", dtype="q8_0", neurons_per_bundle=4)
    assert {layer["dtype"] for layer in manifest(folder)["layers"]} == {"f16"}
    file = _core.Safetensors(str(folder / "resident.safetensors"))
    assert (file.dtype("embedding"), file.dtype("layers.1.q")) == ("F16", "F16")
    assert file.metadata()["dtype.layers.1.o"] == "q8_0"


@settings(max_examples=25)
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
        "any",
        7,
        dim,
        hidden_dim,
        n_layers=2,
        n_heads=heads[0],
        n_kv_heads=heads[1],
        head_dim=head_dim,
        tied=tied,
    )
    place = tmp_path_factory.mktemp("any")
    if use_gguf:
        source = random_gguf.write(case, place / "model.gguf")
    else:
        source = random_llama.write_folder(case, place / "source")
    folder = flashlm.pack(source, place / "out.flash", dtype=dtype, neurons_per_bundle=per_bundle)
    assert_holds(folder, random_llama.weights(case), dtype)
    assert {layer["neurons_per_bundle"] for layer in manifest(folder)["layers"]} == (
        set() if isinstance(per_bundle, str) else {min(per_bundle, hidden_dim)}
    )


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
    assert json.loads((folder / "generation_config.json").read_text()) == {
        "bos_token_id": 99,
        "eos_token_id": 100,
    }
    assert not (folder / "pytorch_model.bin").exists()
    assert {file["name"] for file in manifest(folder)["files"]} == {
        path.name for path in folder.iterdir() if path.name != "flashlm.json"
    }


def test_a_gguf_brings_template_tokenizer_and_the_end_of_a_turn(tmp_path: Path) -> None:
    case = random_llama.case("grouped")

    def add(writer: Any, _: Any) -> None:
        writer.add_eot_token_id(case.vocab_size - 2)

    folder = flashlm.pack(
        random_gguf.write(case, tmp_path / "model.gguf", change=add), tmp_path / "out.flash"
    )
    assert (folder / "chat_template.jinja").read_text() == random_gguf.TEMPLATE
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == [100, 99]
    tokenizer = _core.Tokenizer.open(str(folder / "tokenizer.json"))
    assert tokenizer.decode(tokenizer.encode("the moon")) == "the moon"
    assert tokenizer.id("<|end|>") == 100


def frequencies(folder: Path) -> list[float]:
    part = manifest(folder)["graph"]["stacks"][0]["layer_kinds"][0]["parts"][0]
    return list(part["attention"]["rope"]["frequencies"])


def test_factors_of_a_gguf_divide_the_frequencies(tmp_path: Path) -> None:
    scaling = {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    case = dataclasses.replace(
        random_llama.case("grouped"), head_dim=64, n_heads=1, n_kv_heads=1, rope_theta=500000.0
    )
    plain = default_frequencies(64, case.rope_theta)
    scaled = llama3_frequencies(plain, 32.0, 1.0, 4.0, 8192)
    factors = (np.asarray(plain) / np.asarray(scaled)).astype(
        np.float32
    )  # as llama.cpp's converter writes them
    assert (factors.min(), factors.max()) == (1, 32)

    def add(_: Any, arrays: Tensors) -> None:
        arrays["rope_freqs.weight"] = factors

    folder = flashlm.pack(
        random_gguf.write(case, tmp_path / "one.gguf", change=add), tmp_path / "one.flash"
    )
    source = random_llama.write_folder(
        dataclasses.replace(case, rope_scaling=scaling), tmp_path / "source"
    )
    expected = frequencies(flashlm.pack(source, tmp_path / "source.flash"))
    np.testing.assert_allclose(frequencies(folder), expected, rtol=2e-7)  # a bit
    assert expected == np.asarray(scaled, np.float32).tolist()
    for wrong in (0.0, np.nan):
        factors[3] = wrong
        with pytest.raises(flashlm.FormatError, match=r"factors above 0.*rope_freqs\.weight"):
            flashlm.pack(
                random_gguf.write(case, tmp_path / "two.gguf", change=add), tmp_path / "two.flash"
            )


def test_linear_scaling_of_a_gguf_divides_the_frequencies(tmp_path: Path) -> None:
    def add(writer: Any, _: Any) -> None:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(4.0)

    case = random_llama.case("grouped")
    plain = flashlm.pack(random_gguf.write(case, tmp_path / "plain.gguf"), tmp_path / "plain.flash")
    source = random_gguf.write(case, tmp_path / "model.gguf", change=add)
    folder = flashlm.pack(source, tmp_path / "out.flash")
    assert frequencies(folder) == [each / 4 for each in frequencies(plain)]  # a power of two: exact


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
    sizes = [
        file["bytes"] - file["header_bytes"]
        for file in manifest(folder)["files"]
        if "header_bytes" in file
    ]
    assert {call[0] for call in calls} == {"pack"}
    assert [call[1] for call in calls] == sorted(call[1] for call in calls)
    assert calls[0][1] == 0
    assert calls[-1][1:] == (sum(sizes), sum(sizes))


def test_two_packs_of_one_source_are_the_same_bytes(tmp_path: Path) -> None:
    source = random_llama.write_folder(random_llama.case("tied"), tmp_path / "source")
    one, two = (
        flashlm.pack(source, tmp_path / "1.flash"),
        flashlm.pack(source, tmp_path / "2.flash"),
    )
    assert contents(one) == contents(two)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}

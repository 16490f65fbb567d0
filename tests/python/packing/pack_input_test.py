# SPDX-License-Identifier: Apache-2.0
"""What pack refuses, and how it says so: foreign, broken and unsupported sources."""

from __future__ import annotations

import doctest
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flashlm
import random_gguf
import random_llama
from flashlm.packing.formats.gguf_header import read_header
from random_llama import Case

CASE = random_llama.case("grouped")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A Hugging Face folder that a test may break."""
    return random_llama.write_folder(CASE, tmp_path / "source")


def refuses(
    source: Path | str, words: str, error: type[Exception] = flashlm.FormatError, **options: Any
) -> None:
    """Packing fails with these words (a regular expression), and leaves nothing behind."""
    place = Path(source).parent
    before = sorted(place.iterdir()) if place.is_dir() else []
    with pytest.raises(error, match=words):
        flashlm.pack(source, place / "out.flash", **options)
    assert (sorted(place.iterdir()) if place.is_dir() else []) == before


def change_config(source: Path, **values: Any) -> None:
    path = source / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (
            "architectures",
            ["BloomForCausalLM"],
            "one that runs, got BloomForCausalLM .*What runs is .*, llama, .*, qwen3",
        ),
        ("architectures", ["MistralForCausalLM"], "expected model_type mistral, got 'llama'"),
        ("architectures", "Llama", "got 'Llama'"),
        ("architectures", [["Llama"]], "one that runs, got"),
        ("model_type", ["llama"], "expected model_type llama, got"),
        ("model_type", "qwen2", "expected model_type llama, got 'qwen2'"),
        ("attention_bias", True, r"layers.0.q_bias \[64\], which is missing"),
        ("attention_out_bias", True, "attention_out_bias = True is not supported, expected False"),
        ("glow", 1, "glow = 1 is not known, and may change what the model computes .*What runs is"),
        ("use_glow", False, "use_glow = False is not known"),
        ("sliding_window", 16, "sliding_window = 16 is not supported"),
        ("clip_qkv", 8.0, "clip_qkv"),
        ("mlp_bias", True, "mlp_bias"),
        ("hidden_act", "gelu", "hidden_act = 'gelu' is not supported, expected one of silu, relu"),
        ("pretraining_tp", 2, "pretraining_tp = 2"),
        ("quantization_config", {"quant_method": "gptq"}, "quantization_config"),
        (
            "rope_scaling",
            {"rope_type": "longrope", "factor": 2.0},
            "rope type 'longrope' is not supported",
        ),
        (
            "rope_scaling",
            {"type": "dynamic", "factor": 2.0},
            "rope type 'dynamic' is not supported",
        ),
        ("rope_scaling", {"rope_type": "linear"}, "factor"),
        ("rope_scaling", "linear", "rope_scaling"),
        ("rope_scaling", {"rope_type": ["linear"]}, "rope type .* is not supported"),
        ("rope_parameters", {"rope_type": "longrope", "rope_theta": 1e4}, "longrope"),
        ("rope_parameters", {"rope_type": "default", "rope_theta": -1}, "rope_theta"),
        ("rope_theta", "many", "rope_theta"),
        ("partial_rotary_factor", 0.5, "partial_rotary_factor"),
        ("hidden_size", 0, "hidden_size to be a positive whole number, got 0"),
        ("hidden_size", 2.5, "hidden_size"),
        ("hidden_size", 10**30, "hidden_size"),
        (
            "hidden_size",
            65,
            "expected hidden_size to be a multiple of num_attention_heads, got 65 and 4",
        ),
        ("num_key_value_heads", 3, "multiple of num_key_value_heads, got 4 and 3"),
        ("head_dim", 15, "even head_dim, got 15"),
        ("tie_word_embeddings", "yes", "tie_word_embeddings"),
        ("rms_norm_eps", None, "rms_norm_eps"),
        ("vocab_size", 102, r"\[102, 64\], got \[101, 64\] .*lm_head.weight"),
        ("num_hidden_layers", 3, "layers.2.attention_norm .* missing"),
        ("num_hidden_layers", 1, r"no place for model\.layers\.1\."),
    ],
)
def test_a_config_that_the_engine_would_misread_is_refused(
    source: Path, key: str, value: object, words: str
) -> None:
    change_config(source, **{key: value})
    refuses(source, words)


def test_a_head_that_copies_tied_embeddings_is_accepted(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    case = random_llama.case("tied")
    source = random_llama.write_folder(case, tmp_path / "source")
    weights: dict[str, Any] = dict(random_llama.weights(case))
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].copy()
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(8, np.float32)
    save_file(weights, source / "model.safetensors")
    assert flashlm.pack(source, tmp_path / "out.flash").is_dir()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("model.norm.weight"), "final_norm .* missing"),
        (
            lambda w: w.update({"model.layers.0.self_attn.q_proj.bias": np.ones(64, np.float32)}),
            "q_proj.bias",
        ),
        (lambda w: w.update({"embedding": np.ones(64, np.float32)}), "no place for embedding"),
        (lambda w: w.update({"model.norm.weight": np.ones(65, np.float32)}), r"\[64\], got \[65\]"),
        (
            lambda w: w.update({"model.norm.weight": np.ones(64, np.float64)}),
            "F64 .*model.norm.weight",
        ),
        (lambda w: w.update({"model.norm.weight": np.ones(64, np.int8)}), "I8 .*model.norm.weight"),
        (
            lambda w: w["model.norm.weight"].fill(np.nan),
            "finite numbers, got nan .*model.norm.weight",
        ),
        (lambda w: w["lm_head.weight"].fill(np.inf), "finite numbers, got inf .*lm_head.weight"),
    ],
)
def test_tensors_that_do_not_fit_the_config_are_named(
    source: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    from safetensors.numpy import save_file

    weights: dict[str, Any] = dict(random_llama.weights(CASE))
    change(weights)
    save_file(weights, source / "model.safetensors")
    refuses(source, words)


@pytest.mark.parametrize("name", ["embed_tokens", "layers.1.mlp.down_proj", "layers.0.mlp.up_proj"])
def test_a_weight_beyond_f16_is_an_error_not_infinity(source: Path, name: str) -> None:
    from safetensors.numpy import save_file

    weights: dict[str, Any] = dict(random_llama.weights(CASE))
    weights[f"model.{name}.weight"][3, 5] = -65505
    save_file(weights, source / "model.safetensors")
    refuses(source, f"at most 65504 .*, got 65505 .*{name}.*dtype='f32'", dtype="f16")
    assert flashlm.pack(source, source.parent / "out.flash").is_dir()


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "generation_config.json", "model.safetensors"]
)
@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b'{"a": NaN', b"[" * 100000])
def test_a_broken_file_of_a_folder_is_named(source: Path, name: str, content: bytes) -> None:
    (source / name).write_bytes(content)
    refuses(source, name)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_of_a_folder_is_named(source: Path, name: str) -> None:
    (source / name).unlink()
    refuses(source, name)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("pytorch_model.bin", "pickle"),
        ("adapter_model.safetensors", "adapter"),
        ("x.gguf", "GGUF"),
        ("x", "holds: "),
    ],
)
def test_a_folder_without_safetensors_says_what_to_do(source: Path, file: str, words: str) -> None:
    (source / "model.safetensors").rename(source / file)
    refuses(source, words)


def test_an_index_cannot_lead_out_of_the_folder_and_must_be_true(tmp_path: Path) -> None:
    source = random_llama.write_folder(CASE, tmp_path / "source", shards=2)
    path = source / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    names = list(index["weight_map"])
    for file, words in (
        ("../model.safetensors", r"got '\.\./model\.safetensors'"),
        ("model-9.safetensors", "model-9.safetensors is missing"),
        ("model-00002-of-00002.safetensors", "expected model.embed_tokens.weight in model-00002"),
    ):
        changed = {"weight_map": index["weight_map"] | {names[0]: file}}
        path.write_text(json.dumps(changed))
        refuses(source, words)


def test_sources_that_are_no_model_are_told_apart(tmp_path: Path, source: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"")
    refuses(tmp_path / "model.gguf", "an empty file")
    (tmp_path / "model.gguf").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    refuses(tmp_path / "model.gguf", "Git LFS pointer")
    (tmp_path / "model.gguf").write_bytes(b"\x00\x01\x02\x03")
    refuses(tmp_path / "model.gguf", "unknown kind")
    refuses(source / "model.safetensors", "pass the folder that holds it")
    refuses(
        tmp_path / "model.ggux",
        r"no such file or folder .*Did you mean .*model\.gguf",
        flashlm.IoError,
    )
    refuses(tmp_path / "no" / "where", "There is no folder", flashlm.IoError)
    (tmp_path / "empty").mkdir()
    refuses(tmp_path / "empty", "It is empty")
    (tmp_path / "empty" / "a.gguf").touch()
    refuses(tmp_path / "empty", r"Pass one of its GGUF files: a\.gguf")


def test_a_tokenizer_of_an_unknown_kind_is_named(tmp_path: Path, source: Path) -> None:
    (source / "tokenizer.json").rename(source / "tokenizer.model")
    refuses(source, r"expected a (whole )?tokenizer\.model")

    def change(writer: Any, _: Any) -> None:
        del writer.kv_data[0]["tokenizer.ggml.model"]
        writer.add_string("tokenizer.ggml.model", "bert")

    refuses(
        random_gguf.write(CASE, tmp_path / "m.gguf", change=change),
        "tokenizer.ggml.model: expected 'gpt2'.*got 'bert'",
    )


def test_names_that_the_system_refuses_are_io_errors(tmp_path: Path, source: Path) -> None:
    refuses(tmp_path / ("x" * 5000), "File name too long", flashlm.IoError)
    with pytest.raises(flashlm.IoError, match="File name too long"):
        flashlm.pack(source, tmp_path / ("x" * 5000))
    with pytest.raises(flashlm.ArgumentError, match="expected a path or a hub id, got ''"):
        flashlm.pack("", tmp_path / "out.flash")
    with pytest.raises(flashlm.IoError, match=r"(File exists|Not a directory).*config\.json\)"):
        flashlm.pack(source, source / "config.json" / "out.flash")


def test_a_tokenizer_that_the_engine_cannot_read_is_refused_before_anything_is_written(
    source: Path,
) -> None:
    tokenizer = random_llama.tokenizer()
    tokenizer["model"]["type"] = "Unigram"
    (source / "tokenizer.json").write_text(json.dumps(tokenizer))
    refuses(source, "Unigram")


@pytest.mark.parametrize(
    "module",
    [
        "flashlm.packing.formats.fields",
        "flashlm.packing.graph.frequencies",
        "flashlm.packing.sources.hub",
        "flashlm.packing.sources.huggingface",
        "flashlm.packing.family.names",
        "flashlm.packing.tokenizers.tokens",
        "flashlm._cli.model.graph_words",
    ],
)
def test_the_examples_run(module: str) -> None:
    failed, tried = doctest.testmod(
        importlib.import_module(module), optionflags=doctest.IGNORE_EXCEPTION_DETAIL
    )
    assert failed == 0
    assert tried > 0


def test_options_are_checked(source: Path) -> None:
    refuses(source, "dtype: .*got 'q4'", flashlm.ArgumentError, dtype="q4")
    refuses(source, "neurons_per_bundle: .*got 0", flashlm.ArgumentError, neurons_per_bundle=0)
    refuses(
        source, "neurons_per_bundle: .*got 'all'", flashlm.ArgumentError, neurons_per_bundle="all"
    )


def test_a_packed_folder_is_not_packed_again_and_nothing_is_overwritten(
    source: Path, tmp_path: Path
) -> None:
    folder = flashlm.pack(source, tmp_path / "one.flash")
    with pytest.raises(flashlm.FormatError, match="packed already"):
        flashlm.pack(folder, tmp_path / "two.flash")
    with pytest.raises(flashlm.IoError, match="exists already") as caught:
        flashlm.pack(source, folder)
    assert caught.value.filename == str(folder)
    assert (folder / "flashlm.json").is_file()


def _add(**values: object) -> Callable[[Any, Any], None]:
    """Adds metadata to a GGUF file: strings, whole numbers and floats."""

    def change(writer: Any, _: Any) -> None:
        for key, value in values.items():
            name = key.replace("__", ".")
            if isinstance(value, str):
                writer.add_string(name, value)
            elif isinstance(value, int):
                writer.add_uint32(name, value)
            else:
                writer.add_float32(name, value)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_add(llama__expert_count=8), "llama.expert_count = 8 is not supported, expected 0"),
        (
            _add(llama__attention__sliding_window=512),
            "llama.attention.sliding_window = 512 is not known",
        ),
        (
            _add(llama__rope__scaling__type="longrope"),
            "llama.rope.scaling.type = 'longrope' is not supported",
        ),
        (
            _add(split__count=3),
            "part 1 of 3 of a split file: expected a name that ends in -00001-of-00003.gguf",
        ),
        (lambda _, w: w.update({"blk.0.attn_q.bias": np.ones(64, np.float32)}), "attn_q.bias"),
        (
            lambda _, w: w.update({"blk.00.attn_q.weight": np.ones((64, 64), np.float32)}),
            r"blk\.00\.attn_q",
        ),
        (lambda _, w: w.pop("blk.1.ffn_up.weight"), "layers.1.up .* missing"),
        (
            lambda _, w: w.update({"blk.1.ffn_up.weight": np.ones((2, 64), np.float32)}),
            r"got \[2, 64\] .*ffn_up",
        ),
        (lambda _, w: w["output.weight"].fill(np.nan), "finite .*output.weight"),
    ],
)
def test_a_gguf_that_the_engine_would_misread_is_refused(
    tmp_path: Path, change: Callable[[Any, Any], None], words: str
) -> None:
    refuses(random_gguf.write(CASE, tmp_path / "model.gguf", change=change), words)


def test_another_architecture_or_tensor_type_of_a_gguf_is_named(tmp_path: Path) -> None:
    refuses(
        random_gguf.write(CASE, tmp_path / "a.gguf", architecture="bloom"),
        "that runs, got 'bloom' .*, qwen2",
    )
    path = random_gguf.write(CASE, tmp_path / "b.gguf")
    data = bytearray(path.read_bytes())
    at = data.index(b"blk.0.ffn_up.weight") + len("blk.0.ffn_up.weight") + 4 + 16
    for kind, words in (
        (99, "tensor type: 99 is not known"),
        (27, "I64 is not supported|do not fit|expected bytes"),
    ):
        data[at : at + 4] = kind.to_bytes(4, "little")
        path.write_bytes(data)
        refuses(path, f"({words}).*blk.0.ffn_up.weight|blk.0.ffn_up.weight")


def test_a_block_type_that_nobody_here_decodes_is_named_with_those_that_are(tmp_path: Path) -> None:
    path = random_gguf.write(CASE, tmp_path / "model.gguf")
    data = bytearray(path.read_bytes())
    for name, kind in (
        (b"blk.1.ffn_up.weight", 26),
        (b"output.weight", 26),
    ):  # I32, which is as long as F32
        at = data.index(name) + len(name) + 4 + 16
        changed = bytearray(data)
        changed[at : at + 4] = kind.to_bytes(4, "little")
        path.write_bytes(changed)
        refuses(path, f"I32 is not supported, expected F32, F16, BF16, Q8_0, Q4_0.*{name.decode()}")


def test_single_neurons_of_a_quantised_source_are_refused_with_the_reason(tmp_path: Path) -> None:
    path = random_gguf.write(CASE, tmp_path / "model.gguf", "Q8_0")
    for options in ({}, {"dtype": "q4_0"}):
        refuses(
            path,
            "expected 'auto' for q._0, got 1: a block",
            flashlm.ArgumentError,
            neurons_per_bundle=1,
            **options,
        )
    assert flashlm.pack(path, tmp_path / "out.flash", dtype="f16", neurons_per_bundle=1).is_dir()


def test_a_scale_that_is_not_finite_or_a_number_beyond_the_blocks_is_an_error(
    tmp_path: Path,
) -> None:
    for kind, words in (
        ("Q8_0", "got nan"),
        ("Q4_0", "got nan"),
        ("Q5_1", "got nan"),
        ("MXFP4", "got nan"),
        ("BF16", "got inf"),
    ):
        path = random_gguf.write(CASE, tmp_path / "model.gguf", kind)
        data = bytearray(path.read_bytes())
        at = read_header(path).tensors["blk.1.ffn_down.weight"].offset
        data[at : at + 2] = {"BF16": b"\x80\x7f", "MXFP4": b"\xff\x00"}.get(kind, b"\x00\x7e")
        path.write_bytes(data)
        refuses(path, f"finite numbers, {words} .*blk.1.ffn_down.weight")
    path = random_gguf.write(
        CASE, tmp_path / "model.gguf", change=lambda _, w: w["blk.0.attn_v.weight"].fill(600000)
    )
    refuses(
        path, "at most 524032 .the largest q4_0 number., got 600000 .*attn_v.weight", dtype="q4_0"
    )


@pytest.fixture(scope="session")
def gguf_bytes(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int]:
    """A small GGUF file, and where its tensor data begin."""
    case = Case("tiny", 9, dim=4, hidden_dim=6, n_layers=1, n_heads=1, n_kv_heads=1)
    path = random_gguf.write(case, tmp_path_factory.mktemp("gguf") / "model.gguf")
    return path.read_bytes(), min(tensor.offset for tensor in read_header(path).tensors.values())


@settings(max_examples=300)
@given(data=st.data())
def test_flipped_bytes_of_a_gguf_header_are_a_format_error_or_harmless(
    gguf_bytes: tuple[bytes, int], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(gguf_bytes[0])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, gguf_bytes[1] - 1))
        content[at] = data.draw(st.integers(0, 255))
    pack_or_format_error(bytes(content), tmp_path_factory.mktemp("flip"))


@settings(max_examples=100)
@given(data=st.data())
def test_a_gguf_cut_anywhere_is_a_format_error(
    gguf_bytes: tuple[bytes, int], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = gguf_bytes[0][: data.draw(st.integers(0, len(gguf_bytes[0]) - 33))]
    assert not pack_or_format_error(content, tmp_path_factory.mktemp("cut"))


def pack_or_format_error(content: bytes, place: Path) -> bool:
    """Whether packing worked; any error but FormatError escapes, and a failure leaves only the source."""
    (place / "model.gguf").write_bytes(content)
    try:
        flashlm.pack(place / "model.gguf", place / "out.flash")
    except flashlm.FormatError:
        assert [path.name for path in place.iterdir()] == ["model.gguf"]
        return False
    return True

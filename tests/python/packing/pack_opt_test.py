# SPDX-License-Identifier: Apache-2.0
"""Packing OPT and the Llama models whose activation makes zeros: bundles, refusals, tokenizers, the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import flashlm
import random_llama
import random_opt
from flashlm._cli.app import app
from random_opt import OptCase

CASE = random_opt.case("opt")
SMALL = OptCase("small", seed=31, n_layers=1, vocab_size=265)


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text()) | values
    path.write_text(json.dumps({key: value for key, value in config.items() if value != "absent"}))


def layers(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((folder / "flashlm.json").read_text())["layers"])


@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_a_neuron_of_opt_is_a_bundle_without_gate(dtype: str, tmp_path: Path) -> None:
    source = random_opt.write_folder(CASE, tmp_path / "source")
    folder = flashlm.pack(source, tmp_path / "out.flash", dtype=dtype)
    assert json.loads((folder / "flashlm.json").read_text())["family"] == "opt"
    assert (folder / "config.json").read_bytes() == (source / "config.json").read_bytes()
    width = 4 if dtype == "f32" else 2
    for record in layers(folder):
        assert (record["neurons_per_bundle"], record["gated"]) == (1, False)
        assert record["stride"] == max(512, 2 * CASE.dim * width)
    flashlm.verify(folder)
    shown = CliRunner().invoke(app, ["info", str(folder), "--json"])
    facts = json.loads(shown.stdout)
    assert (facts["family"], facts["hidden_dim"], facts["n_kv_heads"]) == (
        "opt",
        CASE.hidden_dim,
        CASE.n_heads,
    )


def test_there_are_no_bundles_where_no_neuron_can_be_left_out(tmp_path: Path) -> None:
    for activation, expected in (("silu", set()), ("relu", {1}), ("relu2", {1})):
        case = random_llama.Case(activation, seed=1, activation=activation)
        folder = flashlm.pack(
            random_llama.write_folder(case, tmp_path / activation), tmp_path / f"{activation}.flash"
        )
        assert {record["neurons_per_bundle"] for record in layers(folder)} == expected


def test_the_logits_of_opt_have_the_same_bits_for_every_bundle_budget_and_thread_count(
    tmp_path: Path,
) -> None:
    source = random_opt.write_folder(CASE, tmp_path / "source")
    results = []
    for neurons_per_bundle in (1, 5, 32, "auto"):
        name = tmp_path / f"{neurons_per_bundle}.flash"
        folder = flashlm.pack(source, name, neurons_per_bundle=neurons_per_bundle)
        for memory, threads in (("100%", 1), ("75%", 2)):
            with flashlm.LanguageModel.from_pretrained(
                folder, memory=memory, threads=threads
            ) as lm:
                results.append(lm.logits(CASE.tokens))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (
            "do_layer_norm_before",
            False,
            "do_layer_norm_before = False is not supported: .*opt-350m",
        ),
        ("word_embed_proj_dim", 32, "word_embed_proj_dim = 32 beside hidden_size = 64 .*opt-350m"),
        ("_remove_final_layer_norm", True, "_remove_final_layer_norm = True"),
        ("layer_norm_elementwise_affine", False, "layer_norm_elementwise_affine = False"),
        (
            "activation_function",
            "gelu",
            "activation_function = 'gelu' is not supported, expected 'relu'",
        ),
        ("num_attention_heads", 5, "multiple of num_attention_heads, got 64 and 5"),
        ("quantization_config", {"bits": 4}, "quantization_config"),
        ("auto_map", {"AutoModelForCausalLM": "x.Y"}, "auto_map"),
        ("ffn_dim", "absent", "ffn_dim"),
        ("ffn_dim", 151, r"\[151, 64\], got \[150, 64\] .*fc1.weight"),
        ("max_position_embeddings", 63, r"\[65, 64\], got \[66, 64\] .*embed_positions"),
        ("num_hidden_layers", 3, r"layers.2.attention_norm .* missing"),
        ("enable_bias", False, r"no place for model\.decoder\..*\.bias"),
        ("enable_bias", "no", "enable_bias to be true or false"),
        ("tie_word_embeddings", False, r"head \[101, 64\], which is missing"),
        ("model_type", "llama", "expected model_type opt, got 'llama'"),
        ("model_type", "absent", "expected model_type opt, got None"),
        ("architectures", ["OPTForSequenceClassification"], "got OPTForSequenceClassification"),
    ],
)
def test_an_opt_that_the_engine_would_misread_is_refused(
    key: str, value: object, words: str, tmp_path: Path
) -> None:
    source = random_opt.write_folder(CASE, tmp_path / "source")
    change_config(source, **{key: value})
    with pytest.raises(flashlm.FormatError, match=words):
        flashlm.pack(source, tmp_path / "out.flash")
    assert not (tmp_path / "out.flash").exists()


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("embed_positions.weight", "positions"),
        ("final_layer_norm.bias", "final_norm_bias"),
        ("layers.1.self_attn.out_proj.bias", "layers.1.o_bias"),
        ("layers.0.fc1.bias", "layers.0.up_bias"),
        ("layers.0.fc2.weight", "layers.0.down"),
    ],
)
def test_a_missing_tensor_of_opt_is_named(name: str, ours: str, tmp_path: Path) -> None:
    tensors = random_opt.weights(CASE)
    del tensors[f"model.decoder.{name}"]
    source = random_opt.write_folder(CASE, tmp_path / "source", tensors)
    with pytest.raises(flashlm.FormatError, match=f"{ours} .*missing"):
        flashlm.pack(source, tmp_path / "out.flash")


def test_the_published_names_without_a_first_part_are_read(tmp_path: Path) -> None:
    tensors = random_opt.weights(CASE)
    bare = {name.removeprefix("model."): array for name, array in tensors.items()}
    bare["decoder.version"] = np.ones(1, np.float32)
    one = flashlm.pack(random_opt.write_folder(CASE, tmp_path / "one"), tmp_path / "one.flash")
    two = flashlm.pack(
        random_opt.write_folder(CASE, tmp_path / "two", bare), tmp_path / "two.flash"
    )
    for file in ("resident.safetensors", "neurons-00000.safetensors"):
        assert (one / file).read_bytes() == (two / file).read_bytes()


def test_weights_that_are_only_there_as_pickle_are_refused_with_a_hint(tmp_path: Path) -> None:
    source = random_opt.write_folder(CASE, tmp_path / "source")
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    with pytest.raises(
        flashlm.FormatError, match=r"pickle files \(.bin\).*save them again as safetensors"
    ):
        flashlm.pack(source, tmp_path / "out.flash")


def test_a_gguf_of_opt_is_refused_by_name(tmp_path: Path) -> None:
    import gguf

    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "opt")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(
        flashlm.FormatError, match=r"one that runs, got 'opt' .*llama.cpp has no opt"
    ):
        flashlm.pack(path, tmp_path / "out.flash")


def test_a_prosparse_model_brings_its_code_but_needs_none(tmp_path: Path) -> None:
    case = random_llama.case("fatrelu")
    source = random_llama.write_folder(case, tmp_path / "source")
    plain = flashlm.pack(source, tmp_path / "plain.flash")
    own_code = {"auto_map": {"AutoModelForCausalLM": "modeling_sparsellama.SparseLlamaForCausalLM"}}
    change_config(source, **own_code)
    with pytest.raises(flashlm.FormatError, match="auto_map"):
        flashlm.pack(source, tmp_path / "out.flash")
    change_config(source, architectures=["SparseLlamaForCausalLM"], model_type="sparsellama")
    folder = flashlm.pack(source, tmp_path / "out.flash")
    with (
        flashlm.LanguageModel.from_pretrained(plain, memory="100%") as one,
        flashlm.LanguageModel.from_pretrained(folder, memory="100%") as two,
    ):
        np.testing.assert_array_equal(one.logits(case.tokens), two.logits(case.tokens))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hidden_act_param": "absent"}, "hidden_act_param to be a positive number, got None"),
        ({"hidden_act_param": 0}, "hidden_act_param"),
        (
            {"hidden_act": "shiftrelu"},
            "hidden_act = 'shiftrelu' is not supported, expected one of silu, relu",
        ),
    ],
)
def test_an_activation_that_the_engine_lacks_is_refused(
    values: dict[str, Any], words: str, tmp_path: Path
) -> None:
    source = random_llama.write_folder(random_llama.case("fatrelu"), tmp_path / "source")
    change_config(source, **values)
    with pytest.raises(flashlm.FormatError, match=words):
        flashlm.pack(source, tmp_path / "out.flash")


def older(tmp_path: Path, **values: Any) -> Path:
    """An OPT folder with the tokenizer files that OPT was published with."""
    source = random_opt.write_folder(SMALL, tmp_path / "source", bos_token_id=2, eos_token_id=2)
    (source / "tokenizer.json").unlink()
    return random_opt.write_older_tokenizer(source, **values)


def test_older_tokenizer_files_become_a_tokenizer_that_begins_with_bos(tmp_path: Path) -> None:
    folder = flashlm.pack(older(tmp_path), tmp_path / "out.flash")
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
        assert lm.tokenizer.encode("the </s><pad>t") == [2, 263, 36, 2, 1, 4 + ord("t")]
        assert lm.tokenizer.encode("the", add_special=False) == [263]
        assert lm.tokenizer.decode([2, 263, 264], skip_special=True) == "the the"
        assert lm.generate("the", max_new_tokens=3) is not None


def test_a_folder_that_wants_no_bos_gets_none(tmp_path: Path) -> None:
    folder = flashlm.pack(older(tmp_path, add_bos_token=False), tmp_path / "out.flash")
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
        assert lm.tokenizer.encode("the</s>") == [263, 2]


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("vocab.json", '{"a": -1}', "expected an id, got -1 for 'a'"),
        ("vocab.json", '{"a": 1, "b": 1}', "expected each id once, got 1 twice"),
        ("vocab.json", '{"a": 1}', "bos_token: expected a token of vocab.json, got '</s>'"),
        (
            "merges.txt",
            "#version: 0.2\nt h e\n",
            "two tokens with a space between, got 't h e' .*line 2",
        ),
        ("merges.txt", "\udcff", "merges.txt"),
        (
            "tokenizer_config.json",
            '{"add_bos_token": 1}',
            "add_bos_token: expected true or false, got 1",
        ),
        ("added_tokens.json", '{"x": "y"}', "expected an id, got 'y'"),
    ],
)
def test_broken_older_tokenizer_files_are_named(
    file: str, text: str, words: str, tmp_path: Path
) -> None:
    source = older(tmp_path)
    (source / file).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(flashlm.FormatError, match=words):
        flashlm.pack(source, tmp_path / "out.flash")


def test_a_folder_without_any_tokenizer_says_what_to_do(tmp_path: Path) -> None:
    source = older(tmp_path)
    (source / "merges.txt").unlink()
    with pytest.raises(
        flashlm.FormatError, match=r"tokenizer\.json is missing, and so is vocab\.json"
    ):
        flashlm.pack(source, tmp_path / "out.flash")

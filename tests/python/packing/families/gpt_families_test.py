# SPDX-License-Identifier: Apache-2.0
"""GPT-2 and the families after it, and Phi-3: published configs are read, and what does not run is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import flashlm
from family_cases import case
from flashlm.packing.graph import Attention, Ffn, Graph
from flashlm.packing.sources.huggingface import graph_of_config

PHI3: dict[str, Any] = {
    "architectures": ["Phi3ForCausalLM"],
    "model_type": "phi3",
    "hidden_size": 96,
    "intermediate_size": 128,
    "num_attention_heads": 6,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "original_max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "sliding_window": 2047,
    "vocab_size": 320,
    "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"},
}
FALCON: dict[str, Any] = {
    "architectures": ["FalconForCausalLM"],
    "model_type": "falcon",
    "alibi": False,
    "apply_residual_connection_post_layernorm": False,
    "auto_map": {"AutoConfig": "configuration_falcon.FalconConfig"},
    "bias": False,
    "hidden_size": 96,
    "layer_norm_epsilon": 1e-5,
    "multi_query": True,
    "new_decoder_architecture": False,
    "num_attention_heads": 6,
    "num_hidden_layers": 2,
    "parallel_attn": True,
    "vocab_size": 320,
}
NEOX: dict[str, Any] = {
    "architectures": ["GPTNeoXForCausalLM"],
    "model_type": "gpt_neox",
    "hidden_act": "gelu",
    "hidden_size": 96,
    "intermediate_size": 384,
    "layer_norm_eps": 1e-5,
    "max_position_embeddings": 2048,
    "num_attention_heads": 6,
    "num_hidden_layers": 2,
    "rotary_emb_base": 10000,
    "rotary_pct": 0.25,
    "tie_word_embeddings": False,
    "use_parallel_residual": True,
    "vocab_size": 320,
}
GPT2: dict[str, Any] = {
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "activation_function": "gelu_new",
    "attn_pdrop": 0.1,
    "layer_norm_epsilon": 1e-5,
    "n_ctx": 1024,
    "n_embd": 96,
    "n_head": 6,
    "n_layer": 2,
    "n_positions": 1024,
    "summary_activation": None,
    "summary_first_dropout": 0.1,
    "summary_proj_to_labels": True,
    "summary_type": "cls_index",
    "summary_use_proj": True,
    "task_specific_params": {"text-generation": {"do_sample": True}},
    "vocab_size": 320,
}


def graph(config: dict[str, Any], **changes: Any) -> Graph:
    return graph_of_config({**config, **changes}, Path("config.json"))[1]


def norms(read: Graph) -> list[bool]:
    return [part.before is not None for part in read.layers[0].parts]


def test_falcons_of_all_sizes() -> None:
    small = graph(FALCON, num_kv_heads=6)  # as 7B says, and does not mean
    assert (small.attention.kv_heads, small.ffn.hidden, small.head.tied) == (1, 384, True)
    assert norms(small) == [True, False]
    assert graph(FALCON, multi_query=False).attention.kv_heads == 6
    large = graph(FALCON, new_decoder_architecture=True, num_kv_heads=2)
    assert (large.attention.kv_heads, norms(large)) == (2, [True, True])
    one = graph(
        FALCON,
        new_decoder_architecture=True,
        num_kv_heads=2,
        num_ln_in_parallel_attn=1,
        ff_factor=4,
    )
    assert norms(one) == [True, False]
    behind = graph(FALCON, parallel_attn=False)
    assert [part.group for part in behind.layers[0].parts] == [0, 1]


def test_a_window_that_is_not_below_the_context_is_none() -> None:
    assert graph(PHI3).attention.window == 2047
    assert graph(PHI3, sliding_window=4096).attention.window is None
    assert graph(PHI3, sliding_window=None).attention.window is None
    part = graph(PHI3, partial_rotary_factor=0.75).attention
    assert part.rope is not None
    assert (part.rope.dims, part.head_dim) == (12, 16)
    nested = {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5}
    assert graph(PHI3, rope_parameters=nested).attention.rope.dims == 8  # type: ignore[union-attr]


def test_a_quarter_of_a_head_turns_in_pythia() -> None:
    read = graph(NEOX)
    attention = read.layers[0].find(Attention)
    assert attention is not None
    assert attention.rope is not None
    assert attention.rope.dims == 4
    ffn = read.layers[1].find(Ffn)
    assert ffn is not None
    assert (ffn.activation, ffn.gated) == ("gelu_erf", False)
    assert graph(NEOX, hidden_act="relu").is_sparse


def test_gpt2_has_a_position_a_row() -> None:
    positions = graph(GPT2).embedding.positions
    assert positions is not None
    assert (positions.rows, positions.offset) == (1024, 0)


@pytest.mark.parametrize(
    ("config", "changes", "words"),
    [
        (FALCON, {"alibi": True}, "alibi = True is not supported"),
        (FALCON, {"num_ln_in_parallel_attn": 2}, "num_ln_in_parallel_attn = 2 is not supported"),
        (
            FALCON,
            {"new_decoder_architecture": True, "parallel_attn": False},
            "parallel_attn = False",
        ),
        (
            FALCON,
            {"new_decoder_architecture": True, "num_kv_heads": 4},
            "a multiple of num_kv_heads, got 6 and 4",
        ),
        (
            FALCON,
            {"num_attention_heads": 5},
            "to be a multiple of num_attention_heads, got 96 and 5",
        ),
        (
            FALCON,
            {"apply_residual_connection_post_layernorm": True},
            "apply_residual_connection_post_layernorm",
        ),
        (FALCON, {"activation": "silu"}, "activation = 'silu' is not supported"),
        (
            PHI3,
            {"rope_scaling": {"type": "longrope", "short_factor": [1.0]}},
            "type 'longrope' .* Phi-3 with longrope",
        ),
        (PHI3, {"rope_scaling": {"type": "su"}}, "type 'su' .* Phi-3 with longrope"),
        (PHI3, {"sliding_window": 0}, "sliding_window to be a positive whole number, got 0"),
        (PHI3, {"full_attn_mod": 2}, "full_attn_mod = 2 is not supported"),
        (PHI3, {"lm_head_bias": True}, "lm_head_bias = True is not supported"),
        (
            PHI3,
            {"partial_rotary_factor": 0.07},
            "partial_rotary_factor to give an even number of 16, got 1",
        ),
        (
            PHI3,
            {"partial_rotary_factor": 1.5},
            "partial_rotary_factor to give an even number of 16, got 24",
        ),
        (NEOX, {"rotary_pct": "half"}, "rotary_pct to be a positive number"),
        (NEOX, {"rope_theta": 5.0}, "rope_theta = 5.0 is not supported"),
        (NEOX, {"glow": 1}, "glow = 1 is not known"),
        (
            GPT2,
            {"scale_attn_by_inverse_layer_idx": True},
            "scale_attn_by_inverse_layer_idx = True is not supported",
        ),
        (GPT2, {"add_cross_attention": True}, "add_cross_attention = True is not supported"),
        (
            GPT2,
            {"activation_function": "quick_gelu"},
            "activation_function = 'quick_gelu' is not supported",
        ),
    ],
)
def test_what_does_not_run_is_refused_by_name(
    config: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    graph(config)
    with pytest.raises(flashlm.FormatError, match=words):
        graph(config, **changes)


@pytest.mark.parametrize(
    ("name", "end", "words"),
    [
        ("gptneox", "query_key_value.weight", r"expected \d+ rows, got"),
        ("gpt2", "c_attn.bias", r"expected \d+ rows, got"),
        ("phi3", "gate_up_proj.weight", r"expected \d+ rows, got"),
        ("falcon", "query_key_value.weight", r"expected \d+ rows, got"),
    ],
)
def test_fused_tensors_of_another_size_are_refused(
    name: str, end: str, words: str, tmp_path: Path
) -> None:
    model = case(name, 0)
    changed = next(each for each in model.weights if each.endswith(end))
    model.weights[changed] = model.weights[changed][:-1].copy()
    with pytest.raises(flashlm.FormatError, match=words) as error:
        flashlm.pack(model.write(tmp_path / "model"), tmp_path / "out.flash")
    assert changed in str(error.value)

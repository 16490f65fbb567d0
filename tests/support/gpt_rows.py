# SPDX-License-Identifier: Apache-2.0
"""gpt_rows.py: the rows of family_cases.py of GPT-2 and the families after it."""

from __future__ import annotations

import random
from collections.abc import Mapping

from family_row import (
    CONTEXT,
    LAYERS_AND_SIZES,
    VOCAB,
    Change,
    Config,
    Row,
    Weights,
    flipped,
    other_theta,
    set_to,
    size_keys,
    turned,
    zeroed,
)

_EPSILON = 1e-4


def _same_norms(first: tuple[str, ...], second: str) -> Change:
    """Gives the first of two norms the numbers of the second, or other numbers where there is no second."""

    def change(_: Config, weights: Weights) -> None:
        for name in weights:
            for each in first:
                if f"{each}." in name:
                    other = weights.get(name.replace(each, second))
                    weights[name] = weights[name][::-1].copy() if other is None else other

    return change


def _layer_keys(config: Config, hidden: str = "intermediate_size") -> dict[str, float | str]:
    """Of a family with layer norms, and Llama's keys."""
    keys = size_keys(*(config[key] for key in (*LAYERS_AND_SIZES, hidden)))
    return {**keys, "attention.layer_norm_epsilon": _EPSILON}


def _gpt2(draw: random.Random, seed: int) -> Config:
    heads = draw.choice([3, 5])
    return {
        "model_type": "gpt2",
        "n_embd": heads * draw.choice([6, 7]),
        "n_head": heads,
        "n_layer": draw.choice([2, 3]),
        "n_inner": None if seed == 1 else draw.randrange(30, 90),
        "n_positions": CONTEXT,
        "vocab_size": VOCAB,
        "layer_norm_epsilon": _EPSILON,
        "scale_attn_weights": seed != 2,
    }


def _gpt2_gguf(config: Config) -> dict[str, float | str]:
    if not config["scale_attn_weights"]:
        return {}
    hidden = config["n_inner"] or 4 * config["n_embd"]
    keys = size_keys(config["n_layer"], config["n_embd"], config["n_head"], hidden)
    return {**keys, "attention.layer_norm_epsilon": _EPSILON}


def _gptneox(draw: random.Random, seed: int) -> Config:
    heads = draw.choice([3, 5])
    size, fraction = draw.choice([(8, 0.5), (12, 0.5), (16, 0.25)])
    return {
        "model_type": "gpt_neox",
        "hidden_size": heads * size,
        "intermediate_size": draw.randrange(30, 90),
        "num_hidden_layers": draw.choice([2, 3]),
        "num_attention_heads": heads,
        "max_position_embeddings": CONTEXT,
        "vocab_size": VOCAB,
        "layer_norm_eps": _EPSILON,
        "rotary_emb_base": draw.choice([50, 300]),
        "rotary_pct": fraction,
        "hidden_act": "gelu",
        "use_parallel_residual": seed != 1,
        "tie_word_embeddings": False,
    }


def _phi(draw: random.Random, seed: int) -> Config:
    kv_heads = draw.choice([1, 3])
    heads = kv_heads * 3
    return {
        "model_type": "phi",
        "hidden_size": heads * 8,
        "intermediate_size": draw.randrange(30, 90),
        "num_hidden_layers": draw.choice([2, 3]),
        "num_attention_heads": heads,
        "num_key_value_heads": heads if seed == 0 else kv_heads,
        "max_position_embeddings": CONTEXT,
        "vocab_size": VOCAB,
        "layer_norm_eps": _EPSILON,
        "rope_theta": draw.choice([50.0, 300.0]),
        "partial_rotary_factor": draw.choice([0.5, 0.75]),
        "hidden_act": "gelu_new",
        "tie_word_embeddings": False,
    }


def _falcon(draw: random.Random, seed: int) -> Config:
    """As 7B, as 40B with groups and two norms, and as 11B with one norm, and biases."""
    kv_heads = 3 if seed else 1
    heads = kv_heads * 3
    return {
        "model_type": "falcon",
        "hidden_size": heads * 8,
        "ffn_hidden_size": draw.randrange(30, 90),
        "num_hidden_layers": draw.choice([2, 3]),
        "num_attention_heads": heads,
        "num_kv_heads": kv_heads,
        "max_position_embeddings": CONTEXT,
        "vocab_size": VOCAB,
        "layer_norm_epsilon": _EPSILON,
        "rope_theta": draw.choice([50.0, 300.0]),
        "activation": "gelu",
        "new_decoder_architecture": seed > 0,
        "num_ln_in_parallel_attn": [None, 2, 1][seed],
        "multi_query": True,
        "parallel_attn": True,
        "alibi": False,
        "bias": seed == 2,
    }


def _starcoder2(draw: random.Random, seed: int) -> Config:
    return {
        "model_type": "starcoder2",
        "hidden_size": 72,
        "intermediate_size": draw.randrange(30, 90),
        "num_hidden_layers": draw.choice([2, 3]),
        "num_attention_heads": 9,
        "num_key_value_heads": draw.choice([1, 3]),
        "max_position_embeddings": CONTEXT,
        "vocab_size": VOCAB,
        "norm_epsilon": _EPSILON,
        "rope_theta": draw.choice([50.0, 300.0]),
        "hidden_act": "gelu_pytorch_tanh",
        "sliding_window": draw.choice([5, 9]),
        "use_bias": True,
        "tie_word_embeddings": seed != 1,
    }


GPT_ROWS: Mapping[str, Row] = {
    "gpt2": Row(
        whole=_gpt2,
        without={
            "gelu": set_to("activation_function", "relu"),
            "scale": flipped("scale_attn_weights"),
            "positions": zeroed("wpe.weight"),
            "norm_bias": zeroed("ln_1.bias"),
            **{
                f"{part}_bias": zeroed(f"{part}.bias")
                for part in ("c_attn", "attn.c_proj", "c_fc", "mlp.c_proj")
            },
        },
        transposed=True,
        gguf=_gpt2_gguf,
    ),
    "gptneox": Row(
        whole=_gptneox,
        without={
            "theta": set_to("rotary_emb_base", 10000),
            "rotary": set_to("rotary_pct", 1.0),
            "gelu": set_to("hidden_act", "relu"),
            "parallel": flipped("use_parallel_residual"),
            "norms": _same_norms(("input_layernorm",), "post_attention_layernorm"),
            "norm_bias": zeroed("post_attention_layernorm.bias"),
            **{
                f"{part}_bias": zeroed(f"{part}.bias")
                for part in ("query_key_value", "dense", "h_to_4h", "4h_to_h")
            },
        },
        gguf=lambda config: {
            **_layer_keys(config),
            "rope.freq_base": float(config["rotary_emb_base"]),
            "rope.dimension_count": turned(config, config["rotary_pct"]),
            "use_parallel_residual": config["use_parallel_residual"],
        },
    ),
    "phi": Row(
        whole=_phi,
        without={
            "theta": other_theta,
            "rotary": set_to("partial_rotary_factor", 1.0),
            "gelu": set_to("hidden_act", "relu"),
            "norm_bias": zeroed("input_layernorm.bias"),
            "head_bias": zeroed("lm_head.bias"),
            **{
                f"{part}_bias": zeroed(f"{part}.bias")
                for part in ("q_proj", "k_proj", "v_proj", "dense")
            },
            **{f"{part}_bias": zeroed(f"{part}.bias") for part in ("fc1", "fc2")},
        },
        gguf=lambda config: {
            **_layer_keys(config),
            "attention.head_count_kv": config["num_key_value_heads"],
            "rope.freq_base": config["rope_theta"],
            "rope.dimension_count": turned(config, config["partial_rotary_factor"]),
        },
    ),
    "falcon": Row(
        whole=_falcon,
        without={
            "theta": other_theta,
            "gelu": set_to("activation", "relu"),
            "norms": _same_norms(("ln_attn", "input_layernorm"), "ln_mlp"),
            "final_norm_bias": zeroed("ln_f.bias"),
        },
        renamed=lambda config: (
            {"input_layernorm": "ln_attn", "post_attention_layernorm": "ln_mlp"}
            if config["num_ln_in_parallel_attn"] == 2
            else {}
        ),
        gguf=lambda config: (
            {}
            if config["bias"]
            else {
                **_layer_keys(config, "ffn_hidden_size"),
                "attention.head_count_kv": config["num_kv_heads"],
                "rope.freq_base": config["rope_theta"],
            }
        ),
    ),
    "starcoder2": Row(
        whole=_starcoder2,
        without={
            "theta": other_theta,
            "gelu": set_to("hidden_act", "relu"),
            "window": set_to("sliding_window", None),
            "norm_bias": zeroed("post_attention_layernorm.bias"),
            **{
                f"{part}_bias": zeroed(f"{part}.bias")
                for part in ("q_proj", "k_proj", "v_proj", "o_proj")
            },
            **{f"{part}_bias": zeroed(f"{part}.bias") for part in ("c_fc", "c_proj")},
        },
        gguf=lambda config: {
            **_layer_keys(config),
            "attention.head_count_kv": config["num_key_value_heads"],
            "attention.sliding_window": config["sliding_window"],
            "rope.freq_base": config["rope_theta"],
        },
    ),
}

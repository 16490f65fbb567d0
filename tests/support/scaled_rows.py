# SPDX-License-Identifier: Apache-2.0
"""scaled_rows.py: the rows of family_cases.py of families after Llama with multipliers, other norms or other rope."""

from __future__ import annotations

from collections.abc import Mapping

from family_row import COMMON, Row, set_to, zeroed

SCALED_ROWS: Mapping[str, Row] = {
    "granite": Row(
        lambda _: {
            "model_type": "granite",
            "embedding_multiplier": 3.0,
            "attention_multiplier": 0.25,
            "residual_multiplier": 0.75,
            "logits_scaling": 0.5,
        },
        {
            **COMMON,
            "embedding_multiplier": set_to("embedding_multiplier", 1.0),
            "attention_multiplier": set_to("attention_multiplier", 8**-0.5),
            "residual_multiplier": set_to("residual_multiplier", 1.0),
            "logits_scaling": set_to("logits_scaling", 1.0),
        },
        more=lambda config: {
            "embedding_scale": config["embedding_multiplier"],
            "attention.scale": config["attention_multiplier"],
            "residual_scale": config["residual_multiplier"],
            "logit_scale": config["logits_scaling"],
        },
        paired=True,
    ),
    "olmo2": Row(
        lambda _: {"model_type": "olmo2"},
        COMMON,
        {
            "attention_after_norm": "post_attention_layernorm",
            "ffn_after_norm": "post_feedforward_layernorm",
            "q_norm": "self_attn.q_norm",
            "k_norm": "self_attn.k_norm",
        },
    ),
    "smollm3": Row(
        lambda _: {
            "model_type": "smollm3",
            "pad_token_id": None,
            "num_hidden_layers": 5,
            "no_rope_layers": [1, 0, 1, 1, 0],
        },
        {**COMMON, "no_rope_layers": set_to("no_rope_layers", [1, 1, 1, 1, 1])},
        as_gguf=lambda config, _: config.update(no_rope_layers=[1, 1, 1, 0, 1]),
        paired=True,
    ),
    "nemotron": Row(
        lambda draw: {
            "model_type": "nemotron",
            "hidden_act": "relu2",
            "norm_eps": 1e-4,
            "rms_norm_eps": None,
            "partial_rotary_factor": draw.choice([0.5, 0.75]),
        },
        {
            **COMMON,
            "rotary": set_to("partial_rotary_factor", 1.0),
            "relu2": set_to("hidden_act", "relu"),
            "norm_bias": zeroed("norm.bias"),
        },
        more=lambda config: {
            "attention.layer_norm_epsilon": config["norm_eps"],
            "rope.dimension_count": int(8 * config["partial_rotary_factor"]),
        },
        less=1.0,
    ),
}

# SPDX-License-Identifier: Apache-2.0
"""gemma_rows.py: the rows of family_cases.py of the Gemmas."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from family_row import COMMON, Change, Config, Row, Weights, set_to


def _embedding_of_norm_1(config: Config, weights: Weights) -> None:
    """Takes the scale out that Gemma's embeddings have; the head stays."""
    embedding = weights["model.embed_tokens.weight"]
    weights.setdefault("lm_head.weight", embedding)
    weights["model.embed_tokens.weight"] = embedding / np.float32(np.sqrt(config["hidden_size"]))
    config["tie_word_embeddings"] = False


def _gemma_gguf(config: Config, weights: Weights) -> None:
    """llama.cpp's Gemmas are tied, and have the scale that follows from the size of a head."""
    config["tie_word_embeddings"] = True
    weights.pop("lm_head.weight", None)
    if "query_pre_attn_scalar" in config:
        config["query_pre_attn_scalar"] = config["head_dim"]


_GEMMA: Mapping[str, Change] = {**COMMON, "embedding_scale": _embedding_of_norm_1}
_SANDWICH: Mapping[str, str] = {
    "attention_norm": "input_layernorm",
    "attention_after_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "ffn_after_norm": "post_feedforward_layernorm",
}
_WIDE = 4096  # a window that no text here reaches

GEMMA_ROWS: Mapping[str, Row] = {
    "gemma": Row(
        lambda draw: {
            "model_type": "gemma",
            "head_dim": draw.choice([6, 10]),
            "hidden_act": "gelu_pytorch_tanh",
        },
        {**_GEMMA, "gelu": set_to("hidden_act", "silu")},
        as_gguf=_gemma_gguf,
        less=1.0,
    ),
    "gemma2": Row(
        lambda draw: {
            "model_type": "gemma2",
            "head_dim": draw.choice([6, 10]),
            "hidden_activation": "gelu_pytorch_tanh",
            "query_pre_attn_scalar": 5,
            "sliding_window": draw.randrange(5, 20),
            "attn_logit_softcapping": draw.choice([2.0, 3.0]),
            "final_logit_softcapping": draw.choice([4.0, 6.0]),
        },
        {
            **_GEMMA,
            "gelu": set_to("hidden_activation", "silu"),
            "scale": set_to("query_pre_attn_scalar", 8),
            "window": set_to("sliding_window", _WIDE),
            "score_cap": set_to("attn_logit_softcapping", None),
            "logit_cap": set_to("final_logit_softcapping", None),
        },
        _SANDWICH,
        as_gguf=_gemma_gguf,
        more=lambda config: {
            "attention.sliding_window": config["sliding_window"],
            "attn_logit_softcapping": config["attn_logit_softcapping"],
            "final_logit_softcapping": config["final_logit_softcapping"],
        },
        less=1.0,
    ),
    "gemma3": Row(
        lambda draw: {
            "model_type": "gemma3_text",
            "num_hidden_layers": 7,  # the sixth has no window
            "head_dim": draw.choice([6, 10]),
            "hidden_activation": "gelu_pytorch_tanh",
            "query_pre_attn_scalar": 5,
            "sliding_window": draw.randrange(5, 20),
            "rope_local_base_freq": 10000.0,
            "rope_scaling": {"rope_type": "linear", "factor": 2.0},
        },
        {
            **_GEMMA,
            "gelu": set_to("hidden_activation", "silu"),
            "scale": set_to("query_pre_attn_scalar", 8),
            "window": set_to("sliding_window", _WIDE),
            "local_theta": set_to("rope_local_base_freq", 50.0),
            "rope_scaling": set_to("rope_scaling", None),
        },
        {**_SANDWICH, "q_norm": "self_attn.q_norm", "k_norm": "self_attn.k_norm"},
        as_gguf=_gemma_gguf,
        more=lambda config: {
            "attention.sliding_window": config["sliding_window"],
            "rope.scaling.factor": config["rope_scaling"]["factor"],
        },
        less=1.0,
    ),
}

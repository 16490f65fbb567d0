# SPDX-License-Identifier: Apache-2.0
"""Gemma 3 (arXiv:2503.19786), text; of its multimodal models the language model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from flashlm.packing.family.gemma_like import (
    GELU,
    GGUF_SANDWICH,
    SANDWICH,
    GemmaLike,
    cap,
    common_keys,
    gguf_scale,
    sandwich_graph,
)
from flashlm.packing.family.llama_like import Sizes, gguf_names, names
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.graph import Graph, HeadNorm, Norm, Rope, default_frequencies, rope

_LAYERS_OF_27B = 62
_LOCAL_THETA = 10000.0
_HEAD_NORMS = {"self_attn.q_norm.weight": "q_norm", "self_attn.k_norm.weight": "k_norm"}
_GGUF_HEAD_NORMS = {"attn_q_norm.weight": "q_norm", "attn_k_norm.weight": "k_norm"}


class Gemma3(GemmaLike):
    """Norms before and behind each part and of heads.

    Five layers with a window and a rope of their own, then one.
    """

    name = "gemma3"
    architectures = {"gemma3_text": "Gemma3ForCausalLM", "gemma3": "Gemma3ForConditionalGeneration"}
    gguf = "gemma3"
    names = dataclasses.replace(
        names({**SANDWICH, **_HEAD_NORMS}),
        top={"lm_head.weight": "head", "language_model.lm_head.weight": "head"},
        prefixes=("model.", "", "language_model.model.", "model.language_model."),
        skipped=r"(model\.)?(vision_tower|multi_modal_projector)\..*",
    )
    gguf_names = gguf_names({**GGUF_SANDWICH, **_GGUF_HEAD_NORMS})
    usual = {
        **GemmaLike.usual,
        "vocab_size": 262208,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "sliding_window": 4096,
    }

    def section(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """`text_config` of a multimodal model.

        The rope of layers with a window under a key of its own.
        """
        inner = config.get("text_config") if config.get("model_type") == "gemma3" else config
        result = dict(super().section(inner if isinstance(inner, dict) else {}))
        both = result.get("rope_parameters")
        if isinstance(both, dict) and set(both) <= {"full_attention", "sliding_attention"}:
            result["rope_parameters"] = both.get("full_attention")
            result["rope_local_parameters"] = both.get("sliding_attention")
        if result.get("rope_theta") is None:
            result["rope_theta"] = 1e6
        return result

    def graph(self, config: Fields) -> Graph:
        """transformers, configuration_gemma3.py and modeling_gemma3.py."""
        common_keys(config)
        config.ignore("hidden_act")
        config.word("hidden_activation", GELU[0], GELU)
        sizes = Sizes.of_config(config)
        period = config.count("sliding_window_pattern", config.count("_sliding_window_pattern", 6))
        kinds = [
            "sliding_attention" if (layer + 1) % period else "full_attention"
            for layer in range(sizes.n_layers)
        ]
        keys = {"rope_theta": config.number("rope_local_base_freq", _LOCAL_THETA)}
        local = Fields(
            {**keys, "rope_parameters": config.get("rope_local_parameters")}, config.path
        )
        return _graph(
            sizes,
            config.number("query_pre_attn_scalar", 256) ** -0.5,
            config.windows(kinds),
            local.rope(sizes.head_dim),
            (cap(config, "attn_logit_softcapping"), cap(config, "final_logit_softcapping")),
        )

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """Rows of queries and keys lie as rope wants them.

        Scaling is that of the layers without a window.
        """
        sizes = Sizes.of_metadata(metadata)
        window = metadata.count("attention.sliding_window")
        period = metadata.count("attention.sliding_window_pattern", 6)
        windows = [window if (layer + 1) % period else None for layer in range(sizes.n_layers)]
        theta = metadata.number("rope.freq_base_swa", _LOCAL_THETA)
        local = rope(sizes.head_dim, default_frequencies(sizes.head_dim, theta))
        caps = (cap(metadata, "attn_logit_softcapping"), cap(metadata, "final_logit_softcapping"))
        return _graph(sizes, gguf_scale(sizes, _LAYERS_OF_27B), windows, local, caps)


def _graph(
    sizes: Sizes,
    scale: float,
    windows: Sequence[int | None],
    local: Rope,
    caps: tuple[float | None, float | None],
) -> Graph:
    """`local` is the rope of layers with a window; `caps` are of scores and of logits."""
    head_norm = HeadNorm(Norm("rms", sizes.epsilon), over="head")
    attention = dataclasses.replace(
        sizes.attention(head_norm=head_norm), scale=scale, softcap=caps[0]
    )
    attentions = [
        attention if window is None else dataclasses.replace(attention, window=window, rope=local)
        for window in windows
    ]
    return sandwich_graph(sizes, attentions, caps[1])

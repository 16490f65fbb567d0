# SPDX-License-Identifier: Apache-2.0
"""Qwen3 (arXiv:2505.09388), dense."""

from __future__ import annotations

from flashlm.packing.family import Family
from flashlm.packing.family.llama_like import GGUF_IN_LAYER, IN_LAYER, Sizes, gguf_names, names
from flashlm.packing.family.names import with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.graph import AttentionBias, Ffn, Graph, HeadNorm, Norm

_NORMS = {"self_attn.q_norm.weight": "q_norm", "self_attn.k_norm.weight": "k_norm"}
_GGUF_NORMS = {"attn_q_norm.weight": "q_norm", "attn_k_norm.weight": "k_norm"}


class Qwen3(Family):
    """Llama's graph with a norm over each head of queries and keys, before rope."""

    name = "qwen3"
    architectures = {"qwen3": "Qwen3ForCausalLM"}
    gguf = "qwen3"
    names = names({**with_biases(IN_LAYER, "q", "k", "v", "o"), **_NORMS})
    gguf_names = gguf_names({**GGUF_IN_LAYER, **_GGUF_NORMS})

    def graph(self, config: Fields) -> Graph:
        """Biases of attention are all there or none; sliding windows are refused."""
        config.full_attention()
        config.word("hidden_act", "silu", ("silu",))
        return _graph(Sizes.of_config(config), biased=config.flag("attention_bias", default=False))

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """Rows of queries and keys lie as rope wants them."""
        return _graph(Sizes.of_metadata(metadata), biased=False)


def _graph(sizes: Sizes, *, biased: bool) -> Graph:
    bias = AttentionBias(biased, biased, biased, biased)
    head_norm = HeadNorm(Norm("rms", sizes.epsilon), over="head")
    return sizes.graph(sizes.attention(bias, head_norm), Ffn(sizes.hidden, "silu", gated=True))

# SPDX-License-Identifier: Apache-2.0
"""Qwen2 and Qwen2.5 (arXiv:2412.15115), QwQ, and what was distilled into them."""

from __future__ import annotations

from flashlm.packing.family import Family
from flashlm.packing.family.llama_like import GGUF_IN_LAYER, IN_LAYER, Sizes, gguf_names, names
from flashlm.packing.family.names import with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.graph import AttentionBias, Ffn, Graph


class Qwen2(Family):
    """Llama's graph with biases of queries, keys and values."""

    name = "qwen2"
    architectures = {"qwen2": "Qwen2ForCausalLM"}
    gguf = "qwen2"
    names = names(with_biases(IN_LAYER, "q", "k", "v"))
    gguf_names = gguf_names(with_biases(GGUF_IN_LAYER, "q", "k", "v"))

    def graph(self, config: Fields) -> Graph:
        """Sliding windows are refused."""
        config.full_attention()
        config.word("hidden_act", "silu", ("silu",))
        return _graph(Sizes.of_config(config))

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """Rows of queries and keys lie as rope wants them."""
        return _graph(Sizes.of_metadata(metadata))


def _graph(sizes: Sizes) -> Graph:
    bias = AttentionBias(q=True, k=True, v=True)
    return sizes.graph(sizes.attention(bias), Ffn(sizes.hidden, "silu", gated=True))

# SPDX-License-Identifier: Apache-2.0
"""OLMo 2 (arXiv:2501.00656)."""

from __future__ import annotations

import dataclasses

from flashlm.packing.family import Family
from flashlm.packing.family.llama_like import GGUF_IN_LAYER, IN_LAYER, Sizes, gguf_names, names
from flashlm.packing.family.names import with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.graph import AttentionBias, Ffn, Graph, HeadNorm, Layer, Norm, Part

_BEHIND = {
    "self_attn.q_norm.weight": "q_norm",
    "self_attn.k_norm.weight": "k_norm",
    "post_attention_layernorm.weight": "attention_after_norm",
    "post_feedforward_layernorm.weight": "ffn_after_norm",
}
_GGUF_BEHIND = {
    "attn_q_norm.weight": "q_norm",
    "attn_k_norm.weight": "k_norm",
    "post_attention_norm.weight": "attention_after_norm",
    "post_ffw_norm.weight": "ffn_after_norm",
}
_BEFORE = ("attention_norm", "ffn_norm")


class Olmo2(Family):
    """Norms behind each part and none before it.

    One norm over all queries, and one over all keys.
    """

    name = "olmo2"
    architectures = {"olmo2": "Olmo2ForCausalLM"}
    gguf = "olmo2"
    names = names(
        {
            **{
                theirs: ours
                for theirs, ours in with_biases(IN_LAYER, *"qkvo").items()
                if ours not in _BEFORE
            },
            **_BEHIND,
        }
    )
    gguf_names = gguf_names(
        {
            **{theirs: ours for theirs, ours in GGUF_IN_LAYER.items() if ours not in _BEFORE},
            **_GGUF_BEHIND,
        }
    )

    def graph(self, config: Fields) -> Graph:
        """Biases of attention are all there or none."""
        config.word("hidden_act", "silu", ("silu",))
        return _graph(Sizes.of_config(config), biased=config.flag("attention_bias", default=False))

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """Rows of queries and keys lie as rope wants them."""
        return _graph(Sizes.of_metadata(metadata), biased=False)


def _graph(sizes: Sizes, *, biased: bool) -> Graph:
    norm = Norm("rms", sizes.epsilon)
    attention = sizes.attention(
        AttentionBias(biased, biased, biased, biased), HeadNorm(norm, over="whole")
    )
    ffn = Ffn(sizes.hidden, "silu", gated=True)
    layer = Layer((Part(attention, after=norm), Part(ffn, after=norm, group=1)))
    return dataclasses.replace(sizes.graph(attention, ffn), layers=(layer,) * sizes.n_layers)

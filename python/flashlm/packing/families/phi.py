# SPDX-License-Identifier: Apache-2.0
"""Phi-1, Phi-1.5 and Phi-2 (arXiv:2309.05463)."""

from __future__ import annotations

from collections.abc import Mapping

from flashlm.packing.family import Family
from flashlm.packing.family.fused import split_qkv
from flashlm.packing.family.gpt_like import Sizes, activation, gguf_names
from flashlm.packing.family.names import Names, with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Graph, Rope


class Phi(Family):
    """Attention and network in parallel behind one layer norm.

    Biases everywhere, in the head too.
    """

    name = "phi"
    architectures = {"phi": "PhiForCausalLM"}
    gguf = "phi2"
    names = Names(
        top=with_biases({"lm_head.weight": "head"}),
        body=with_biases(
            {"embed_tokens.weight": "embedding", "final_layernorm.weight": "final_norm"},
            "final_norm",
        ),
        in_layer=with_biases(
            {
                "input_layernorm.weight": "attention_norm",
                "self_attn.q_proj.weight": "q",
                "self_attn.k_proj.weight": "k",
                "self_attn.v_proj.weight": "v",
                "self_attn.dense.weight": "o",
                "mlp.fc1.weight": "up",
                "mlp.fc2.weight": "down",
            }
        ),
        layers="layers",
        prefixes=("model.", ""),
        skipped=r"(model\.)?layers\.[0-9]+\.self_attn\.rotary_emb\.inv_freq",
    )
    gguf_names = gguf_names(top={"output.bias": "head_bias"})

    def graph(self, config: Fields) -> Graph:
        """The code that older folders bring along (`auto_map`) computes this graph."""
        config.ignore("auto_map")
        sizes = Sizes.of_config(config, epsilon="layer_norm_eps", tied=False)
        rope = config.rope(config.rotary(sizes.head_dim, default=0.5))
        return _graph(sizes, rope, activation(config, "hidden_act", "gelu_new"))

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """GGUF knows no other activation than GELU's approximation."""
        sizes = Sizes.of_metadata(metadata)
        return _graph(sizes, metadata.rope(metadata.rotary(sizes.head_dim)), "gelu_tanh")

    def from_gguf(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """In some files queries, keys and values are one matrix."""
        return split_qkv(name, weight, graph)


def _graph(sizes: Sizes, rope: Rope, kind: str) -> Graph:
    attention = sizes.attention(rope, biased=True)
    return sizes.graph(attention, sizes.ffn(kind, biased=True), parallel_norms=1, head_bias=True)

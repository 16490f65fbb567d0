# SPDX-License-Identifier: Apache-2.0
"""StarCoder2 (arXiv:2402.19173)."""

from __future__ import annotations

from flashlm.packing.family import Family
from flashlm.packing.family.gpt_like import Sizes, activation, gguf_names
from flashlm.packing.family.names import Names, with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.graph import Graph, Rope


class StarCoder2(Family):
    """Layer norms with biases, rope, grouped queries, GELU, and a window in some sizes."""

    name = "starcoder2"
    architectures = {"starcoder2": "Starcoder2ForCausalLM"}
    gguf = "starcoder2"
    names = Names(
        top={"lm_head.weight": "head"},
        body=with_biases(
            {"embed_tokens.weight": "embedding", "norm.weight": "final_norm"}, "final_norm"
        ),
        in_layer=with_biases(
            {
                "input_layernorm.weight": "attention_norm",
                "self_attn.q_proj.weight": "q",
                "self_attn.k_proj.weight": "k",
                "self_attn.v_proj.weight": "v",
                "self_attn.o_proj.weight": "o",
                "post_attention_layernorm.weight": "ffn_norm",
                "mlp.c_fc.weight": "up",
                "mlp.c_proj.weight": "down",
            }
        ),
        layers="layers",
        prefixes=("model.", ""),
    )
    gguf_names = gguf_names()

    def graph(self, config: Fields) -> Graph:
        """Products have all a bias or none (`use_bias`)."""
        config.word("norm_type", "layer_norm", ("layer_norm",))
        config.word("mlp_type", "default", ("default",))
        sizes = Sizes.of_config(config, epsilon="norm_epsilon", tied=True)
        window = config.count("sliding_window", sizes.context)
        kind = activation(config, "hidden_act", "gelu_pytorch_tanh")
        biased = config.flag("use_bias", default=True)
        return _graph(sizes, config.rope(sizes.head_dim), kind, biased=biased, window=window)

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """A window of 0 is none; GGUF knows no other activation than GELU's approximation."""
        sizes = Sizes.of_metadata(metadata)
        window = metadata.count("attention.sliding_window", 0, least=0) or sizes.context
        return _graph(sizes, metadata.rope(sizes.head_dim), "gelu_tanh", biased=True, window=window)


def _graph(sizes: Sizes, rope: Rope, kind: str, *, biased: bool, window: int) -> Graph:
    attention = sizes.attention(rope, biased=biased).within(window, sizes.context)
    return sizes.graph(attention, sizes.ffn(kind, biased=biased))

# SPDX-License-Identifier: Apache-2.0
"""OPT (arXiv:2205.01068), but opt-350m."""

from __future__ import annotations

from flashlm.packing.family import Family
from flashlm.packing.family.names import Names, with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.graph import (
    Attention,
    AttentionBias,
    Embedding,
    Ffn,
    FfnBias,
    Graph,
    Head,
    Norm,
    Positions,
    attention_scale,
    sequential,
)

_OFFSET = 2  # rows of positions that fairseq kept for padding
_EPSILON = 1e-5


class Opt(Family):
    """Learned positions, layer norms with biases, a network without gate."""

    name = "opt"
    architectures = {"opt": "OPTForCausalLM"}
    names = Names(
        top={"lm_head.weight": "head"},
        body=with_biases(
            {
                "embed_tokens.weight": "embedding",
                "embed_positions.weight": "positions",
                "final_layer_norm.weight": "final_norm",
            },
            "final_norm",
        ),
        in_layer=with_biases(
            {
                "self_attn.q_proj.weight": "q",
                "self_attn.k_proj.weight": "k",
                "self_attn.v_proj.weight": "v",
                "self_attn.out_proj.weight": "o",
                "fc1.weight": "up",
                "fc2.weight": "down",
                "self_attn_layer_norm.weight": "attention_norm",
                "final_layer_norm.weight": "ffn_norm",
            }
        ),
        layers="layers",
        prefixes=("model.decoder.", "decoder."),  # without the first part, as OPT was published
        skipped=r"(model\.)?decoder\.version",
    )
    begins_with_bos = True

    def graph(self, config: Fields) -> Graph:
        """transformers, configuration_opt.py and modeling_opt.py."""
        dim, heads = config.count("hidden_size"), config.count("num_attention_heads")
        if not config.flag("do_layer_norm_before", default=True):
            raise config.error(
                "do_layer_norm_before = False is not supported: OPT with layer norms behind the "
                "sums, as opt-350m"
            )
        if (projected := config.count("word_embed_proj_dim", dim)) != dim:
            raise config.error(
                f"word_embed_proj_dim = {projected} beside hidden_size = {dim} is not supported: "
                f"OPT with projected "
                "embeddings, as opt-350m"
            )
        config.divides("num_attention_heads", heads, "hidden_size", dim)
        config.off("_remove_final_layer_norm", False, None)
        config.off("layer_norm_elementwise_affine", True, None)
        config.word("activation_function", "relu", ("relu",))
        biased = config.flag("enable_bias", default=True)
        context = config.count("max_position_embeddings")
        attention = Attention(
            heads,
            heads,
            dim // heads,
            attention_scale(dim // heads),
            bias=AttentionBias(biased, biased, biased, biased),
        )
        ffn = Ffn(
            config.count("ffn_dim"), "relu", gated=False, bias=FfnBias(up=biased, down=biased)
        )
        norm = Norm("layer", _EPSILON, bias=True)
        return Graph(
            dim=dim,
            vocab_size=config.count("vocab_size"),
            max_context=context,
            layers=(sequential(attention, ffn, norm),) * config.layers("num_hidden_layers"),
            final_norm=norm,
            head=Head(config.flag("tie_word_embeddings", default=True)),
            embedding=Embedding(positions=Positions(context + _OFFSET, _OFFSET)),
        )

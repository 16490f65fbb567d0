# SPDX-License-Identifier: Apache-2.0
"""GPT-NeoX (arXiv:2204.06745) and Pythia (arXiv:2304.01373)."""

from __future__ import annotations

from collections.abc import Mapping

from flashlm.packing.family import Family
from flashlm.packing.family.fused import split_qkv
from flashlm.packing.family.gpt_like import Sizes, activation, gguf_names
from flashlm.packing.family.names import Names, with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Graph


class GptNeoX(Family):
    """Attention and network in parallel, each with its layer norm.

    The first numbers of a head turn.
    """

    name = "gptneox"
    architectures = {"gpt_neox": "GPTNeoXForCausalLM"}
    gguf = "gptneox"
    names = Names(
        top={"embed_out.weight": "head"},
        body=with_biases(
            {"embed_in.weight": "embedding", "final_layer_norm.weight": "final_norm"},
            "final_norm",
        ),
        in_layer=with_biases(
            {
                "input_layernorm.weight": "attention_norm",
                "attention.query_key_value.weight": "qkv",
                "attention.dense.weight": "o",
                "post_attention_layernorm.weight": "ffn_norm",
                "mlp.dense_h_to_4h.weight": "up",
                "mlp.dense_4h_to_h.weight": "down",
            }
        ),
        layers="layers",
        prefixes=("gpt_neox.", ""),
        # Older checkpoints carry the causal mask and the rope frequencies, which follow from the
        # config.
        skipped=r"(gpt_neox\.)?layers\.[0-9]+\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)",
    )
    gguf_names = gguf_names()

    def graph(self, config: Fields) -> Graph:
        """Without `use_parallel_residual` the network reads what attention has added."""
        sizes = Sizes.of_config(config, epsilon="layer_norm_eps", tied=False)
        config.off("rope_theta", None)
        dims = config.rotary(sizes.head_dim, "rotary_pct", 0.25)
        rope = config.rope(dims, config.number("rotary_emb_base", 10000.0))
        attention = sizes.attention(rope, biased=config.flag("attention_bias", default=True))
        ffn = sizes.ffn(activation(config, "hidden_act", "gelu"), biased=True)
        return sizes.graph(attention, ffn, parallel_norms=_norms(config))

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """GELU is the exact one, as the models were trained with."""
        sizes = Sizes.of_metadata(metadata)
        attention = sizes.attention(metadata.rope(metadata.rotary(sizes.head_dim)), biased=True)
        return sizes.graph(
            attention, sizes.ffn("gelu_erf", biased=True), parallel_norms=_norms(metadata)
        )

    def from_huggingface(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """Queries, keys and values are one matrix, head by head."""
        return split_qkv(name, weight, graph, in_groups=True)

    def from_gguf(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """The same, one behind the other."""
        return split_qkv(name, weight, graph)


def _norms(keys: Fields) -> int | None:
    return 2 if keys.flag("use_parallel_residual", default=True) else None

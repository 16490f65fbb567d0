# SPDX-License-Identifier: Apache-2.0
"""GPT-2 (Radford et al., Language Models are Unsupervised Multitask Learners, 2019)."""

from __future__ import annotations

from collections.abc import Mapping

from flashlm.packing.family import Family
from flashlm.packing.family.fused import split_qkv
from flashlm.packing.family.gpt_like import Sizes, activation, gguf_names
from flashlm.packing.family.names import Names, with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Graph, Positions

_TRANSPOSED = (".qkv", ".o", ".up", ".down")


class Gpt2(Family):
    """Learned positions, layer norms with biases, GELU."""

    name = "gpt2"
    architectures = {"gpt2": "GPT2LMHeadModel"}
    gguf = "gpt2"
    names = Names(
        top={"lm_head.weight": "head"},
        body=with_biases(
            {"wte.weight": "embedding", "wpe.weight": "positions", "ln_f.weight": "final_norm"},
            "final_norm",
        ),
        in_layer=with_biases(
            {
                "ln_1.weight": "attention_norm",
                "attn.c_attn.weight": "qkv",
                "attn.c_proj.weight": "o",
                "ln_2.weight": "ffn_norm",
                "mlp.c_fc.weight": "up",
                "mlp.c_proj.weight": "down",
            }
        ),
        layers="h",
        prefixes=("transformer.", ""),
        skipped=r"(transformer\.)?h\.[0-9]+\.attn\.(bias|masked_bias)",  # the causal mask
    )
    gguf_names = gguf_names(top={"position_embd.weight": "positions"})

    def graph(self, config: Fields) -> Graph:
        """Keys of the summary head say nothing of the graph, nor does the order of computing.

        The latter is `reorder_and_upcast_attn`.
        """
        config.ignore("n_ctx", "reorder_and_upcast_attn")
        config.ignore(
            *(f"summary_{key}" for key in ("type", "use_proj", "activation", "proj_to_labels"))
        )
        config.ignore("summary_first_dropout")
        config.off("scale_attn_by_inverse_layer_idx", False, None)
        dim, heads = config.count("n_embd"), config.count("n_head")
        config.divides("n_head", heads, "n_embd", dim)
        sizes = Sizes(
            dim=dim,
            hidden=config.count("n_inner", 4 * dim),
            n_layers=config.layers("n_layer"),
            heads=heads,
            kv_heads=heads,
            vocab_size=config.count("vocab_size"),
            context=config.count("n_positions", 1024),
            epsilon=config.number("layer_norm_epsilon", 1e-5),
            tied=config.flag("tie_word_embeddings", default=True),
        )
        scaled = config.flag("scale_attn_weights", default=True)
        return _graph(
            sizes, activation(config, "activation_function", "gelu_new"), None if scaled else 1.0
        )

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """GGUF knows no other activation than GELU's approximation."""
        return _graph(Sizes.of_metadata(metadata), "gelu_tanh")

    def from_huggingface(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """Matrices lie transposed; queries, keys and values are one."""
        return split_qkv(name, weight.transpose() if name.endswith(_TRANSPOSED) else weight, graph)

    def from_gguf(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """Queries, keys and values are one matrix."""
        return split_qkv(name, weight, graph)


def _graph(sizes: Sizes, kind: str, scale: float | None = None) -> Graph:
    attention = sizes.attention(None, biased=True, scale=scale)
    return sizes.graph(
        attention, sizes.ffn(kind, biased=True), positions=Positions(sizes.context, 0)
    )

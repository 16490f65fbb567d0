# SPDX-License-Identifier: Apache-2.0
"""Falcon 7B, 11B, 40B and 180B (arXiv:2311.16867), not those with ALiBi."""

from __future__ import annotations

from collections.abc import Mapping

from flashlm.packing.family import Family
from flashlm.packing.family.fused import split_qkv
from flashlm.packing.family.gpt_like import GGUF_IN_LAYER, Sizes, activation, gguf_names
from flashlm.packing.family.names import Names, with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Graph

_SECOND_NORM = "attn_norm_2"  # of attention, in a GGUF; attn_norm is the network's then


class Falcon(Family):
    """Attention and network in parallel; few heads of keys and values."""

    name = "falcon"
    architectures = {"falcon": "FalconForCausalLM"}
    gguf = "falcon"
    names = Names(
        top={"lm_head.weight": "head"},
        body=with_biases(
            {"word_embeddings.weight": "embedding", "ln_f.weight": "final_norm"}, "final_norm"
        ),
        in_layer=with_biases(
            {
                "input_layernorm.weight": "attention_norm",
                "ln_attn.weight": "attention_norm",
                "self_attention.query_key_value.weight": "qkv",
                "self_attention.dense.weight": "o",
                "post_attention_layernorm.weight": "ffn_norm",
                "ln_mlp.weight": "ffn_norm",
                "mlp.dense_h_to_4h.weight": "up",
                "mlp.dense_4h_to_h.weight": "down",
            }
        ),
        layers="h",
        prefixes=("transformer.", ""),
        skipped=r"(transformer\.)?h\.[0-9]+\.self_attention\.rotary_emb\.inv_freq",
    )
    gguf_names = gguf_names(
        {
            **GGUF_IN_LAYER,
            f"{_SECOND_NORM}.weight": "attention_norm_2",
            f"{_SECOND_NORM}.bias": "attention_norm_2_bias",
        }
    )

    def graph(self, config: Fields) -> Graph:
        """The newer architecture has groups of heads and two norms.

        There is one norm if `num_ln_in_parallel_attn` is 1.
        """
        config.ignore(
            "auto_map", "ff_factor"
        )  # the code that a folder brings along computes this graph
        if config.get("alibi", False) is not False:
            raise config.error("alibi = True is not supported: Falcon with ALiBi, as falcon-rw-1b")
        config.off("apply_residual_connection_post_layernorm", False, None)
        dim, heads = config.count("hidden_size"), config.count("num_attention_heads")
        config.divides("num_attention_heads", heads, "hidden_size", dim)
        newer = config.flag("new_decoder_architecture", default=False)
        is_parallel = config.flag("parallel_attn", default=True)
        norms = config.count("num_ln_in_parallel_attn", 2 if newer else 1, most=2)
        if newer and not is_parallel:
            raise config.error(
                "parallel_attn = False is not supported beside new_decoder_architecture = True"
            )
        if norms > 1 and not newer:
            raise config.error(
                "num_ln_in_parallel_attn = 2 is not supported without new_decoder_architecture"
            )
        multi_query = config.flag("multi_query", default=True)
        kv_heads = config.count("num_kv_heads", heads)
        if not newer:
            kv_heads = 1 if multi_query else heads
        config.divides("num_kv_heads", kv_heads, "num_attention_heads", heads)
        sizes = Sizes(
            dim=dim,
            hidden=config.count("ffn_hidden_size", 4 * dim),
            n_layers=config.layers("num_hidden_layers"),
            heads=heads,
            kv_heads=kv_heads,
            vocab_size=config.count("vocab_size"),
            context=config.count("max_position_embeddings", 2048),
            epsilon=config.number("layer_norm_epsilon", 1e-5),
            tied=config.flag("tie_word_embeddings", default=True),
        )
        biased = config.flag("bias", default=False)
        attention = sizes.attention(config.rope(sizes.head_dim), biased=biased)
        ffn = sizes.ffn(activation(config, "activation", "gelu"), biased=biased)
        return sizes.graph(attention, ffn, parallel_norms=norms if is_parallel else None)

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """GELU is the exact one, as the models were trained with; two norms are there or not."""
        sizes = Sizes.of_metadata(metadata)
        attention = sizes.attention(metadata.rope(sizes.head_dim), biased=False)
        norms = 2 if f"blk.0.{_SECOND_NORM}.weight" in metadata.tensors else 1
        return sizes.graph(attention, sizes.ffn("gelu_erf", biased=False), parallel_norms=norms)

    def from_huggingface(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """Queries, keys and values are one matrix, group by group."""
        return split_qkv(name, weight, graph, in_groups=True)

    def from_gguf(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """The same, one behind the other; of two norms, the second is attention's."""
        if all(part.before is not None for part in graph.layers[0].parts):
            name = name.replace("attention_norm", "ffn_norm").replace(
                "ffn_norm_2", "attention_norm"
            )
        return split_qkv(name, weight, graph)

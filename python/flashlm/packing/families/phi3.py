# SPDX-License-Identifier: Apache-2.0
"""Phi-3 (arXiv:2404.14219), Phi-3.5 and Phi-4 (arXiv:2412.08905), not those with longrope."""

from __future__ import annotations

from collections.abc import Mapping

from flashlm.packing.family import Family
from flashlm.packing.family.fused import split_gate_up, split_qkv
from flashlm.packing.family.llama_like import GGUF_IN_LAYER, Sizes, gguf_names, names
from flashlm.packing.formats.fields import Fields, brief
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Ffn, Graph

_FACTORS = "rope_factors_long.weight"  # of longrope, in a GGUF


class Phi3(Family):
    """Llama's graph with a window and rope of a part of a head; in its files matrices are fused."""

    name = "phi3"
    architectures = {"phi3": "Phi3ForCausalLM"}
    gguf = "phi3"
    names = names(
        {
            "input_layernorm.weight": "attention_norm",
            "self_attn.qkv_proj.weight": "qkv",
            "self_attn.o_proj.weight": "o",
            "post_attention_layernorm.weight": "ffn_norm",
            "mlp.gate_up_proj.weight": "gate_up",
            "mlp.down_proj.weight": "down",
        }
    )
    gguf_names = gguf_names({**GGUF_IN_LAYER, "attn_qkv.weight": "qkv", "ffn_up.weight": "gate_up"})

    def graph(self, config: Fields) -> Graph:
        """Rope is scaled by longrope or not at all.

        Transformers reads "su" and "yarn" as longrope too.
        """
        config.ignore("auto_map", "original_max_position_embeddings")
        for key in ("full_attn_mod", "interpolate_factor"):  # of Phi-4-mini
            config.off(key, 1, None)
        config.off("lm_head_bias", False, None)
        for key in ("rope_scaling", "rope_parameters"):
            scaling = config.get(key, {})
            kind = (
                scaling.get("rope_type", scaling.get("type")) if isinstance(scaling, dict) else None
            )
            if kind not in ("default", None):
                raise config.error(
                    f"{key} of type {brief(kind)} is not supported: Phi-3 with longrope"
                )
        config.word("hidden_act", "silu", ("silu",))
        sizes = Sizes.of_config(config, partial=1.0)
        return _graph(sizes, config.count("sliding_window", sizes.context))

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """A window of 0 is none."""
        if _FACTORS in metadata.tensors:
            raise metadata.error(f"{_FACTORS} is not supported: Phi-3 with longrope")
        sizes = Sizes.of_metadata(metadata, partial=1.0)
        return _graph(
            sizes, metadata.count("attention.sliding_window", 0, least=0) or sizes.context
        )

    def from_huggingface(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """Queries, keys and values are one matrix, one behind the other; gate and up too."""
        return _split(name, weight, graph)

    def from_gguf(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """The same."""
        return _split(name, weight, graph)


def _graph(sizes: Sizes, window: int) -> Graph:
    attention = sizes.attention().within(window, sizes.context)
    return sizes.graph(attention, Ffn(sizes.hidden, "silu", gated=True))


def _split(name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
    cut = split_gate_up(name, weight, graph)
    return split_qkv(name, weight, graph) if name in cut else cut

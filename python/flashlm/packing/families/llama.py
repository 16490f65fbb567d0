# SPDX-License-Identifier: Apache-2.0
"""Llama (arXiv:2302.13971) and SmolLM2.

With zeros in its activation, ReluLLaMA and ProSparse (arXiv:2402.13516).
"""

from __future__ import annotations

from collections.abc import Mapping

from flashlm.packing.family import Family
from flashlm.packing.family.llama_like import IN_LAYER, Sizes, gguf_names, names, unpaired
from flashlm.packing.family.names import with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import AttentionBias, Ffn, Graph

_ACTIVATIONS = ("silu", "relu", "relu2", "fatrelu")


class Llama(Family):
    """Rotary grouped-query attention, RMS norms, a gated network."""

    name = "llama"
    architectures = {"llama": "LlamaForCausalLM", "sparsellama": "SparseLlamaForCausalLM"}
    gguf = "llama"
    names = names(with_biases(IN_LAYER, "q", "k", "v", "o"))
    gguf_names = gguf_names()

    def graph(self, config: Fields) -> Graph:
        """Biases of attention are all there or none.

        `hidden_act_param` is ProSparse's threshold.
        """
        if config.get("model_type") == "sparsellama":
            config.ignore(
                "auto_map"
            )  # the code that a ProSparse model brings along is its activation
        sizes = Sizes.of_config(config)
        activation = config.word("hidden_act", "silu", _ACTIVATIONS)
        threshold = config.number("hidden_act_param") if activation == "fatrelu" else None
        config.ignore("hidden_act_param")
        biased = config.flag("attention_bias", default=False)
        ffn = Ffn(sizes.hidden, activation, gated=True, threshold=threshold)
        return sizes.graph(sizes.attention(AttentionBias(biased, biased, biased, biased)), ffn)

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """GGUF knows no other activation than SiLU."""
        sizes = Sizes.of_metadata(metadata)
        return sizes.graph(sizes.attention(), Ffn(sizes.hidden, "silu", gated=True))

    def from_gguf(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """Queries and keys lie in pairs."""
        if name.endswith((".q", ".k")) and weight.shape[0] % graph.attention.head_dim == 0:
            weight = unpaired(weight, graph.attention.head_dim)
        return {name: weight}

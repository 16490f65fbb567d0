# SPDX-License-Identifier: Apache-2.0
"""Granite 3 (IBM), dense."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from flashlm.packing.family import Family
from flashlm.packing.family.llama_like import IN_LAYER, Sizes, gguf_names, names, unpaired
from flashlm.packing.family.names import with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import AttentionBias, Embedding, Ffn, Graph, Head, Layer


class Granite(Family):
    """Llama's graph with four multipliers.

    They are those of the embedding, of scores, of what a layer adds, and of logits.
    """

    name = "granite"
    architectures = {"granite": "GraniteForCausalLM"}
    gguf = "granite"
    names = names(with_biases(IN_LAYER, "q", "k", "v", "o"))
    gguf_names = gguf_names()

    def graph(self, config: Fields) -> Graph:
        """transformers, modeling_granite.py: logits are divided by theirs."""
        config.word("hidden_act", "silu", ("silu",))
        keys = (
            "embedding_multiplier",
            "attention_multiplier",
            "residual_multiplier",
            "logits_scaling",
        )
        biased = config.flag("attention_bias", default=False)
        bias = AttentionBias(biased, biased, biased, biased)
        return _graph(Sizes.of_config(config), bias, [config.number(key, 1.0) for key in keys])

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """The same multipliers in other words; they are always there."""
        keys = ("embedding_scale", "attention.scale", "residual_scale", "logit_scale")
        return _graph(
            Sizes.of_metadata(metadata), AttentionBias(), [metadata.number(key) for key in keys]
        )

    def from_gguf(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """Queries and keys lie in pairs."""
        if name.endswith((".q", ".k")) and weight.shape[0] % graph.attention.head_dim == 0:
            weight = unpaired(weight, graph.attention.head_dim)
        return {name: weight}


def _graph(sizes: Sizes, bias: AttentionBias, multipliers: Sequence[float]) -> Graph:
    embedding, scores, residual, logits = multipliers
    attention = dataclasses.replace(sizes.attention(bias), scale=scores)
    graph = sizes.graph(attention, Ffn(sizes.hidden, "silu", gated=True))
    parts = tuple(
        dataclasses.replace(part, residual_scale=residual) for part in graph.layers[0].parts
    )
    return dataclasses.replace(
        graph,
        layers=(Layer(parts),) * sizes.n_layers,
        embedding=Embedding(embedding),
        head=Head(sizes.tied, scale=1 / logits),
    )

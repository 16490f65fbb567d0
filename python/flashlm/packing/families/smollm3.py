# SPDX-License-Identifier: Apache-2.0
"""SmolLM3 (Hugging Face)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from flashlm.packing.family import Family
from flashlm.packing.family.llama_like import IN_LAYER, Sizes, gguf_names, names, unpaired
from flashlm.packing.family.names import with_biases
from flashlm.packing.formats.fields import Fields, brief
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import AttentionBias, Ffn, Graph, Norm, sequential

_INTERVAL = 4  # of llama.cpp, whose files do not say it


class SmolLm3(Family):
    """Llama's graph; every fourth layer, or those that the config lists, knows no positions."""

    name = "smollm3"
    architectures = {"smollm3": "SmolLM3ForCausalLM"}
    gguf = "smollm3"
    names = names(with_biases(IN_LAYER, "q", "k", "v", "o"))
    gguf_names = gguf_names()

    def section(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """All of it, and what it leaves out."""
        return {"tie_word_embeddings": True, "rope_theta": 2000000.0, **config}

    def graph(self, config: Fields) -> Graph:
        """`no_rope_layers` has a 1 for each layer that has rope."""
        config.full_attention()
        config.ignore("pretraining_tp")  # transformers does not read it here
        config.word("hidden_act", "silu", ("silu",))
        sizes = Sizes.of_config(config)
        interval = config.count("no_rope_layer_interval", _INTERVAL)
        turns = config.get("no_rope_layers", _turns(sizes.n_layers, interval))
        if (
            not isinstance(turns, list)
            or len(turns) < sizes.n_layers
            or any(each not in (0, 1) for each in turns)
        ):
            raise config.error(
                f"expected no_rope_layers to be 0 or 1 for each of {sizes.n_layers} layers, got "
                f"{brief(turns)}"
            )
        return _graph(sizes, turns, biased=config.flag("attention_bias", default=False))

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """Every fourth layer has no rope."""
        sizes = Sizes.of_metadata(metadata)
        return _graph(sizes, _turns(sizes.n_layers, _INTERVAL), biased=False)

    def from_gguf(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """Queries and keys lie in pairs, in layers without rope too."""
        if name.endswith((".q", ".k")) and weight.shape[0] % graph.attention.head_dim == 0:
            weight = unpaired(weight, graph.attention.head_dim)
        return {name: weight}


def _turns(n_layers: int, interval: int) -> list[int]:
    return [int((layer + 1) % interval != 0) for layer in range(n_layers)]


def _graph(sizes: Sizes, turns: Sequence[int], *, biased: bool) -> Graph:
    attention = sizes.attention(AttentionBias(biased, biased, biased, biased))
    ffn = Ffn(sizes.hidden, "silu", gated=True)
    norm = Norm("rms", sizes.epsilon)
    with_rope = sequential(attention, ffn, norm)
    without = sequential(dataclasses.replace(attention, rope=None), ffn, norm)
    layers = tuple(with_rope if turns[layer] else without for layer in range(sizes.n_layers))
    return dataclasses.replace(sizes.graph(attention, ffn), layers=layers)

# SPDX-License-Identifier: Apache-2.0
"""Nemotron 4 and Minitron (arXiv:2402.16819, arXiv:2407.14679)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from flashlm.packing.family import Family
from flashlm.packing.family.llama_like import GGUF_IN_LAYER, IN_LAYER, Sizes, gguf_names, names
from flashlm.packing.family.names import Names, with_biases
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import AttentionBias, Ffn, FfnBias, Graph, Norm, sequential


def _names(names: Names, in_layer: Mapping[str, str], *biases: str) -> Names:
    """Without a gate; the final norm, too, has a bias."""
    ungated = {theirs: ours for theirs, ours in in_layer.items() if ours != "gate"}
    return dataclasses.replace(
        names,
        top=with_biases(names.top, "final_norm"),
        body=with_biases(names.body, "final_norm"),
        in_layer=with_biases(ungated, "attention_norm", "ffn_norm", *biases),
    )


class Nemotron(Family):
    """Layer norms that keep w - 1, rope on a part of a head, squared ReLU without a gate."""

    name = "nemotron"
    architectures = {"nemotron": "NemotronForCausalLM"}
    gguf = "nemotron"
    names = _names(names(), IN_LAYER, "q", "k", "v", "o", "up", "down")
    gguf_names = _names(gguf_names(), GGUF_IN_LAYER)

    def graph(self, config: Fields) -> Graph:
        """transformers, configuration_nemotron.py and modeling_nemotron.py."""
        config.word("hidden_act", "relu2", ("relu2",))
        sizes = Sizes.of_config(config, partial=0.5, epsilon="norm_eps")
        return _graph(
            sizes,
            of_attention=config.flag("attention_bias", default=False),
            of_network=config.flag("mlp_bias", default=False),
        )

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """Norms have the 1; rows of queries and keys lie as rope wants them."""
        sizes = Sizes.of_metadata(metadata, partial=0.5, epsilon="attention.layer_norm_epsilon")
        return _graph(sizes, of_attention=False, of_network=False)

    def from_huggingface(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """Norms multiply with 1 + w."""
        del graph
        return {name: weight.plus(1.0) if name.endswith("norm") else weight}


def _graph(sizes: Sizes, *, of_attention: bool, of_network: bool) -> Graph:
    """Biases of each are all there or none."""
    norm = Norm("layer", sizes.epsilon, bias=True)
    bias = AttentionBias(of_attention, of_attention, of_attention, of_attention)
    ffn = Ffn(sizes.hidden, "relu2", gated=False, bias=FfnBias(up=of_network, down=of_network))
    attention = sizes.attention(bias)
    graph = sizes.graph(attention, ffn)
    return dataclasses.replace(
        graph, layers=(sequential(attention, ffn, norm),) * sizes.n_layers, final_norm=norm
    )

# SPDX-License-Identifier: Apache-2.0
"""Gemma 1 (arXiv:2403.08295)."""

from __future__ import annotations

import dataclasses
import math

from flashlm.packing.family.gemma_like import GELU, GemmaLike, common_keys
from flashlm.packing.family.llama_like import Sizes, gguf_names, names
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.graph import Embedding, Ffn, Graph


class Gemma(GemmaLike):
    """Llama's graph with GELU, a scaled embedding and norms that keep w - 1."""

    name = "gemma"
    architectures = {"gemma": "GemmaForCausalLM"}
    gguf = "gemma"
    names = names()
    gguf_names = gguf_names()

    def graph(self, config: Fields) -> Graph:
        """The approximation by tanh is meant where the first configs say "gelu"."""
        common_keys(config)
        config.word("hidden_act", GELU[0], (*GELU, "gelu"))
        config.word("hidden_activation", GELU[0], GELU)
        return _graph(Sizes.of_config(config))

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """Rows of queries and keys lie as rope wants them."""
        return _graph(Sizes.of_metadata(metadata))


def _graph(sizes: Sizes) -> Graph:
    graph = sizes.graph(sizes.attention(), Ffn(sizes.hidden, "gelu_tanh", gated=True))
    return dataclasses.replace(graph, embedding=Embedding(math.sqrt(sizes.dim)))

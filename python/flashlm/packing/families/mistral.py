# SPDX-License-Identifier: Apache-2.0
"""Mistral without a window (its GGUF files say that they are Llama's)."""

from __future__ import annotations

from flashlm.packing.family import Family
from flashlm.packing.fields import Fields
from flashlm.packing.graph import Ffn, Graph
from flashlm.packing.llama_like import Sizes, names


class Mistral(Family):
    """Llama's graph; version 0.1 has a window, which is refused."""

    name = "mistral"
    architectures = {"mistral": "MistralForCausalLM"}
    names = names()

    def graph(self, config: Fields) -> Graph:
        """As of Llama."""
        sizes = Sizes.of_config(config)
        config.word("hidden_act", "silu", ("silu",))
        return sizes.graph(sizes.attention(), Ffn(sizes.hidden, "silu", gated=True))

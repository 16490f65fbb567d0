# SPDX-License-Identifier: Apache-2.0
"""Mistral (arXiv:2310.06825). Its GGUF files say that they are Llama's, and have no window."""

from __future__ import annotations

from flashlm.packing.family import Family
from flashlm.packing.family.llama_like import Sizes, names
from flashlm.packing.formats.fields import Fields
from flashlm.packing.graph import Ffn, Graph


class Mistral(Family):
    """Llama's graph; version 0.1 has a window."""

    name = "mistral"
    architectures = {"mistral": "MistralForCausalLM"}
    names = names()

    def graph(self, config: Fields) -> Graph:
        """Llama's, with a window of positions."""
        sizes = Sizes.of_config(config)
        config.word("hidden_act", "silu", ("silu",))
        window = config.count("sliding_window", sizes.context)
        attention = sizes.attention().within(window, sizes.context)
        return sizes.graph(attention, Ffn(sizes.hidden, "silu", gated=True))

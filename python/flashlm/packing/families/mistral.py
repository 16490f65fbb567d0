# SPDX-License-Identifier: Apache-2.0
"""Mistral (arXiv:2310.06825). Its GGUF files say that they are Llama's, and have no window."""

from __future__ import annotations

import dataclasses

from flashlm.packing.family import Family
from flashlm.packing.fields import Fields
from flashlm.packing.graph import Ffn, Graph
from flashlm.packing.llama_like import Sizes, names


class Mistral(Family):
    """Llama's graph; version 0.1 has a window."""

    name = "mistral"
    architectures = {"mistral": "MistralForCausalLM"}
    names = names()

    def graph(self, config: Fields) -> Graph:
        """A window that no context reaches is none."""
        sizes = Sizes.of_config(config)
        config.word("hidden_act", "silu", ("silu",))
        attention, window = sizes.attention(), config.count("sliding_window", sizes.context)
        if window < sizes.context:
            attention = dataclasses.replace(attention, window=window)
        return sizes.graph(attention, Ffn(sizes.hidden, "silu", gated=True))

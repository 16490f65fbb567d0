# SPDX-License-Identifier: Apache-2.0
"""Gemma 2 (arXiv:2408.00118)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from flashlm.packing.family.gemma_like import (
    GELU,
    GGUF_SANDWICH,
    SANDWICH,
    GemmaLike,
    cap,
    common_keys,
    gguf_scale,
    sandwich_graph,
)
from flashlm.packing.family.llama_like import Sizes, gguf_names, names
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.graph import Graph

_LAYERS_OF_27B = 46


class Gemma2(GemmaLike):
    """Norms before and behind each part, soft caps, a window in every other layer."""

    name = "gemma2"
    architectures = {"gemma2": "Gemma2ForCausalLM"}
    gguf = "gemma2"
    names = names(SANDWICH)
    gguf_names = gguf_names(GGUF_SANDWICH)

    def graph(self, config: Fields) -> Graph:
        """transformers, configuration_gemma2.py and modeling_gemma2.py."""
        common_keys(config)
        config.ignore(
            "hidden_act", "sliding_window_size"
        )  # the second of two names; the first is read
        config.word("hidden_activation", GELU[0], GELU)
        sizes = Sizes.of_config(config)
        kinds = [
            ("sliding_attention", "full_attention")[layer % 2] for layer in range(sizes.n_layers)
        ]
        return _graph(
            sizes,
            config.number("query_pre_attn_scalar", 256) ** -0.5,
            config.windows(kinds),
            cap(config, "attn_logit_softcapping"),
            cap(config, "final_logit_softcapping"),
        )

    def gguf_graph(self, metadata: Metadata) -> Graph:
        """Rows of queries and keys lie as rope wants them.

        What a file leaves out is as in llama.cpp.
        """
        sizes = Sizes.of_metadata(metadata)
        window = metadata.count("attention.sliding_window", 4096)
        windows = [None if layer % 2 else window for layer in range(sizes.n_layers)]
        caps = [
            cap(metadata, "attn_logit_softcapping", 50),
            cap(metadata, "final_logit_softcapping", 30),
        ]
        return _graph(sizes, gguf_scale(sizes, _LAYERS_OF_27B), windows, *caps)


def _graph(
    sizes: Sizes,
    scale: float,
    windows: Sequence[int | None],
    score_cap: float | None,
    logit_cap: float | None,
) -> Graph:
    attention = dataclasses.replace(sizes.attention(), scale=scale, softcap=score_cap)
    return sandwich_graph(
        sizes, [dataclasses.replace(attention, window=each) for each in windows], logit_cap
    )

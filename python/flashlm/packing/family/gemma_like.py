# SPDX-License-Identifier: Apache-2.0
"""gemma_like.py: what the Gemmas share.

Norms that keep w - 1, a scaled embedding, norms behind what a layer adds.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from flashlm.packing.family import Family
from flashlm.packing.family.llama_like import GGUF_IN_LAYER, IN_LAYER, Sizes
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Attention, Embedding, Ffn, Graph, Head, Layer, Norm, Part

GELU = ("gelu_pytorch_tanh",)
SANDWICH: Mapping[str, str] = {
    **IN_LAYER,
    "post_attention_layernorm.weight": "attention_after_norm",
    "pre_feedforward_layernorm.weight": "ffn_norm",
    "post_feedforward_layernorm.weight": "ffn_after_norm",
}
GGUF_SANDWICH: Mapping[str, str] = {
    **GGUF_IN_LAYER,
    "post_attention_norm.weight": "attention_after_norm",
    "post_ffw_norm.weight": "ffn_after_norm",
}


class GemmaLike(Family):
    """A Gemma.

    Attributes:
        usual: What keys mean that a config.json leaves out.
    """

    usual: ClassVar[Mapping[str, Any]] = {"tie_word_embeddings": True, "head_dim": 256}

    def section(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """All of it, and what it leaves out."""
        return {**self.usual, **config}

    def from_huggingface(self, name: str, weight: Weight, graph: Graph) -> Mapping[str, Weight]:
        """Norms multiply with 1 + w; those of a GGUF have the 1."""
        del graph
        return {name: weight.plus(1.0) if name.endswith("norm") else weight}


def common_keys(config: Fields) -> None:
    """Keys of all Gemmas that choose no graph, or one that does not run."""
    config.off("use_bidirectional_attention", False, None)
    config.ignore("cache_implementation")


def cap(config: Fields, key: str, default: float | None = None) -> float | None:
    """A soft cap; None where the key is null, or where it is absent and there is no default."""
    return None if config.get(key, default) is None else config.number(key, default)


def gguf_scale(sizes: Sizes, layers_of_27b: int) -> float:
    """The scale of scores, which GGUF files do not keep.

    Of the 27B models it follows from the width, as in llama.cpp.

    Args:
        sizes: Of the model.
        layers_of_27b: How many layers the 27B model of the family has.
    """
    return 1 / math.sqrt(
        sizes.dim / sizes.heads if sizes.n_layers == layers_of_27b else sizes.head_dim
    )


def sandwich_graph(sizes: Sizes, attentions: Sequence[Attention], softcap: float | None) -> Graph:
    """Layers whose parts have a norm before and one behind, one of these attentions each."""
    ffn = Ffn(sizes.hidden, "gelu_tanh", gated=True)
    norm = Norm("rms", sizes.epsilon)
    layers = tuple(
        Layer(
            (Part(attention, before=norm, after=norm), Part(ffn, before=norm, after=norm, group=1))
        )
        for attention in attentions
    )
    plain = sizes.graph(attentions[0], ffn)
    return dataclasses.replace(
        plain,
        layers=layers,
        embedding=Embedding(math.sqrt(sizes.dim)),
        head=Head(sizes.tied, softcap=softcap),
    )

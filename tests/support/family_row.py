# SPDX-License-Identifier: Apache-2.0
"""family_row.py: what a row of family_cases.py is, and ways to take a feature out."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from random_llama import FloatArray

Config = dict[str, Any]
Weights = dict[str, FloatArray]
Metadata = Mapping[str, float | str]
Change = Callable[[Config, Weights], None]
VOCAB = 101
CONTEXT = 64
LAYERS_AND_SIZES = ("num_hidden_layers", "hidden_size", "num_attention_heads")


@dataclass(frozen=True)
class Row:
    """What makes a family's models.

    Attributes:
        config: The keys that no other family has, or has other values of; given the generator of a
            seed.
        without: Feature -> what takes it out of a config and weights, both of which it changes.
        modules: Feature -> the ends of the names of modules that pass their input on when it is
            taken out.
        whole: The config with its sizes, in place of ``config``, of a family with other keys for
            them than Llama; given the generator and the seed.
        renamed: Parts of tensors' names -> what the files of such a config have in their place.
        transposed: Whether matrices of layers lie [inputs, outputs].
        gguf: The metadata of its GGUF below the name of its architecture, if they are not Llama's;
            none of a config that GGUF cannot hold.
        more: Metadata of its GGUF beside these.
        as_gguf: What makes it a model that a GGUF can hold, where GGUF files have less than
            configs.
        less: What the numbers of norms lack in a Hugging Face folder.
        paired: Whether the converter puts rows of queries and keys in pairs.
    """

    config: Callable[[random.Random], Config] = lambda _: {}
    without: Mapping[str, Change] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    whole: Callable[[random.Random, int], Config] | None = None
    renamed: Callable[[Config], Mapping[str, str]] | None = None
    transposed: bool = False
    gguf: Callable[[Config], Metadata] | None = None
    more: Callable[[Config], Metadata] | None = None
    as_gguf: Change | None = None
    less: float = 0.0
    paired: bool = False

    @property
    def features(self) -> list[str]:
        """All that can be taken out."""
        return [*self.without, *self.modules]


def zeroed(end: str) -> Change:
    """Takes a bias out, or another tensor."""

    def change(_: Config, weights: Weights) -> None:
        for name in weights:
            if name.endswith(end):
                weights[name] = np.zeros_like(weights[name])

    return change


def set_to(key: str, value: Any) -> Change:
    """Puts another value in."""

    def change(config: Config, _: Weights) -> None:
        config[key] = value

    return change


def flipped(key: str) -> Change:
    """Turns a flag round."""

    def change(config: Config, _: Weights) -> None:
        config[key] = not config[key]

    return change


def other_theta(config: Config, _: Weights) -> None:
    config["rope_theta"] = 10000.0


def other_head(config: Config, weights: Weights) -> None:
    """Ties what is not tied, and the other way round."""
    if config["tie_word_embeddings"]:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"][::-1].copy()
    else:
        del weights["lm_head.weight"]
    config["tie_word_embeddings"] = not config["tie_word_embeddings"]


COMMON: Mapping[str, Change] = {"theta": other_theta, "head": other_head}


def size_keys(layers: int, dim: int, heads: int, hidden: int) -> dict[str, float | str]:
    """Metadata of a GGUF that most families have."""
    return {
        "block_count": layers,
        "context_length": CONTEXT,
        "embedding_length": dim,
        "feed_forward_length": hidden,
        "attention.head_count": heads,
    }


def llama_keys(config: Config) -> dict[str, float | str]:
    """Metadata of the GGUF of a config with Llama's keys."""
    keys = size_keys(*(config[key] for key in (*LAYERS_AND_SIZES, "intermediate_size")))
    keys |= {
        "attention.head_count_kv": config["num_key_value_heads"],
        "rope.freq_base": config["rope_theta"],
    }
    if config["rms_norm_eps"] is not None:
        keys["attention.layer_norm_rms_epsilon"] = config["rms_norm_eps"]
    if "head_dim" in config:
        keys |= {
            "attention.key_length": config["head_dim"],
            "attention.value_length": config["head_dim"],
        }
    if "rope_scaling" in config:
        keys["rope.scaling.type"] = config["rope_scaling"]["rope_type"]
    return keys


def turned(config: Config, fraction: float) -> int:
    """How many numbers of a head turn."""
    return int(config["hidden_size"] // config["num_attention_heads"] * fraction)

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
Change = Callable[[Config, Weights], None]
VOCAB = 101
CONTEXT = 64


@dataclass(frozen=True)
class Row:
    """What makes a family's models.

    Attributes:
        config: The keys that no other family has, or has other values of; given the generator of a seed.
        without: Feature -> what takes it out of a config and weights, both of which it changes.
        modules: Feature -> the ends of the names of modules that pass their input on when it is taken out.
        more: Metadata of its GGUF beside Llama's.
        as_gguf: What makes it a model that a GGUF can hold, where GGUF files have less than configs.
        less: What the numbers of norms lack in a Hugging Face folder.
        paired: Whether the converter puts rows of queries and keys in pairs.
    """

    config: Callable[[random.Random], Config] = lambda _: {}
    without: Mapping[str, Change] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    more: Callable[[Config], Mapping[str, float]] | None = None
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

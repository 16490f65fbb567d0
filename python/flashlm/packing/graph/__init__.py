# SPDX-License-Identifier: Apache-2.0
"""What a model computes, as flashlm.json says it.

The words are those of docs/graph.md and include/flashlm/model/graph/spec.hpp.

A family builds a `Graph`; its JSON leaves out what has the value that absent fields have, and lists
a kind of layer once, however many layers are of it. Which graphs the engine computes is its own to
say: `flashlm._core.graph_tensors`.
"""

from __future__ import annotations

from flashlm.packing.graph.frequencies import (
    default_frequencies,
    linear_frequencies,
    llama3_frequencies,
    rope,
    yarn_attention_factor,
    yarn_frequencies,
)
from flashlm.packing.graph.graph import Graph
from flashlm.packing.graph.parts import (
    SPARSE,
    Attention,
    AttentionBias,
    Embedding,
    Experts,
    Ffn,
    FfnBias,
    Groups,
    Head,
    HeadNorm,
    Layer,
    LongRope,
    Norm,
    Part,
    Positions,
    QueryScale,
    Rope,
    Router,
    attention_scale,
    parallel,
    sequential,
)

__all__ = [
    "SPARSE",
    "Attention",
    "AttentionBias",
    "Embedding",
    "Experts",
    "Ffn",
    "FfnBias",
    "Graph",
    "Groups",
    "Head",
    "HeadNorm",
    "Layer",
    "LongRope",
    "Norm",
    "Part",
    "Positions",
    "QueryScale",
    "Rope",
    "Router",
    "attention_scale",
    "default_frequencies",
    "linear_frequencies",
    "llama3_frequencies",
    "parallel",
    "rope",
    "sequential",
    "yarn_attention_factor",
    "yarn_frequencies",
]

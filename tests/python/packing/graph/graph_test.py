# SPDX-License-Identifier: Apache-2.0
"""The graph of a model: its JSON and back, its frequencies, and what the engine says of it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import flashlm
from flashlm.packing.graph import (
    Attention,
    AttentionBias,
    Embedding,
    Experts,
    Ffn,
    FfnBias,
    Graph,
    Groups,
    Head,
    HeadNorm,
    Layer,
    LongRope,
    Norm,
    Part,
    Positions,
    QueryScale,
    Router,
    default_frequencies,
    linear_frequencies,
    llama3_frequencies,
    rope,
    sequential,
)
from flashlm.packing.graph.tensors import tensors_of

RMS = Norm("rms", 1e-6)
PLAIN = Attention(4, 2, 8, 0.25, rope(8, default_frequencies(8, 1e4)))
FFN = Ffn(48, "silu", gated=True)
SMALL = Graph(32, 99, 128, (sequential(PLAIN, FFN, RMS),) * 3, RMS, Head(tied=True))

EVERYTHING = Attention(
    heads=4,
    kv_heads=2,
    head_dim=8,
    scale=1.0,
    rope=replace(
        rope(4, default_frequencies(4, 1e6)),
        attention_factor=1.25,
        by_context=LongRope(64, (0.5, 0.25), 1.5),
    ),
    value_dim=16,
    window=7,
    softcap=50.0,
    sinks=True,
    bias=AttentionBias(q=True, o=True),
    q_norm=HeadNorm(RMS, "head", factor=3.5),
    k_norm=HeadNorm(Norm("rms", 1e-6, weight=False), "whole", "after_rope"),
    v_norm=HeadNorm(RMS, "head"),
    query_scale=QueryScale(0.5, 64),
    clip=8.0,
    output_gate="separate",
    value="key",
    shares_kv_of=0,
)
MIXTURE = Experts(
    8,
    2,
    Ffn(
        24,
        "clamped_swiglu",
        gated=True,
        alpha=1.5,
        limit=7.0,
        bias=FfnBias(True, True, True),
        output_gate=True,
    ),
    Router(
        "sigmoid", "of_chosen", "layer_input", RMS, True, True, Groups(4, 2), True, 1e-6, 2.5, True
    ),
)
RICH = Graph(
    dim=32,
    vocab_size=99,
    max_context=128,
    layers=(
        sequential(PLAIN, FFN, RMS),
        Layer(
            (
                Part(EVERYTHING, before=RMS, after=Norm("layer", 1e-5, bias=True)),
                Part(FFN, reads=0),
                Part(MIXTURE, before=RMS, group=1, reads="layer_input", residual_scale=0.5),
            ),
            group_after=(None, RMS),
            output_scale=True,
        ),
        sequential(PLAIN, FFN, RMS),
    ),
    final_norm=Norm("layer", 1e-5, bias=True),
    head=Head(False, True, 0.125, 30.0),
    embedding=Embedding(5.5, RMS, Positions(130, 2)),
)


@pytest.mark.parametrize("graph", [SMALL, RICH], ids=["small", "rich"])
def test_a_graph_comes_back_from_its_json(graph: Graph) -> None:
    assert Graph.of_json(graph.to_json()) == graph


def test_layers_that_are_alike_share_one_kind_and_defaults_are_left_out() -> None:
    stack = RICH.to_json()["stacks"][0]
    assert stack["layers"] == [0, 1, 0]
    assert SMALL.to_json()["head"] == {"tied": True}
    assert SMALL.to_json()["stacks"][0]["layer_kinds"][0]["parts"][0] == {
        "does": "attention",
        "before": {"kind": "rms", "epsilon": 1e-6},
        "attention": {
            "heads": 4,
            "kv_heads": 2,
            "head_dim": 8,
            "scale": 0.25,
            "rope": {"layout": "halves", "dims": 8, "frequencies": list(PLAIN.rope.frequencies)},  # type: ignore[union-attr]
        },
    }


def test_the_engine_lists_the_weights_in_the_order_of_a_pass() -> None:
    tensors = tensors_of(SMALL, "here")
    passed = [tensor.name for tensor in tensors if tensor.kind == "matrix"]
    assert passed == [f"layers.{layer}.{name}" for layer in range(3) for name in "qvko"]
    assert [tensor.kind for tensor in tensors if tensor.name == "embedding"] == ["head"]
    segments = [tensor.segment for tensor in tensors if tensor.segment is not None]
    assert segments == sorted(segments)


def test_the_engine_reads_every_field_and_names_the_one_that_it_does_not_compute() -> None:
    """A word that it does not know would be another message."""
    with pytest.raises(
        flashlm.FormatError,
        match=r"expected .*, got .*does not compute the feature.*|Nothing packs",
    ):
        tensors_of(RICH, "here")
    for change, field in (
        (replace(PLAIN, clip=4.0), "attention.clip"),
        (replace(PLAIN, output_gate="separate"), "attention.output_gate"),
        (replace(PLAIN, sinks=True), "attention.sinks"),
    ):
        layers = (sequential(change, FFN, RMS),)
        with pytest.raises(flashlm.FormatError, match=rf"{field}.*\(here"):
            tensors_of(replace(SMALL, layers=layers), "here")


def test_frequencies_are_those_of_the_formulas() -> None:
    plain = default_frequencies(8, 500000.0)
    assert plain == [1 / 500000.0 ** (i / 4) for i in range(4)]
    assert linear_frequencies(plain, 4.0) == [each / 4 for each in plain]
    scaled = llama3_frequencies(plain, 8.0, 1.0, 4.0, 64.0)
    for before, after in zip(plain, scaled, strict=True):
        turns = 64.0 * before / (2 * math.pi)
        smooth = min(1.0, max(0.0, (turns - 1) / 3))
        assert after == pytest.approx(before * ((1 - smooth) / 8 + smooth), rel=1e-12)
    assert scaled[0] == plain[0]
    assert scaled[-1] == plain[-1] / 8

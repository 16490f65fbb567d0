# SPDX-License-Identifier: Apache-2.0
"""Each family against transformers, on random models whose features bite (tests/support/family_cases.py)."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
from family_cases import ROWS, SEEDS, Case, case, transformers_logits, without
from flashlm.packing import families
from flashlm.packing.graph import Attention
from flashlm.packing.sources.huggingface import graph_of_config
from theirs import Theirs

BITES = 0.05  # what leaving a feature out moves some logit by, at least
CLOSE = 2e-5  # of the largest logit; GELU's approximation in place of the exact one is 8e-5 away
SHOWN = slice(4, None, 5)  # positions whose logits are recorded
SAME = 1e-4  # of theirs, computed today, to theirs as they were recorded


def question(model: Case) -> list[Any]:
    return [model.config, model.weights, model.tokens]


def recorded(model: Case, theirs: Theirs) -> Any:
    return theirs(
        lambda: transformers_logits(model.config, model.weights, model.tokens)[SHOWN],
        given=question(model),
        within=SAME,
    )


def logits(source: Path, tokens: list[int]) -> Any:
    folder = flashlm.pack(source, source.with_name(f"{source.name}.flash"))
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
        return lm.logits(tokens)


@pytest.mark.live
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ROWS)
def test_logits_of_a_family(name: str, seed: int, theirs: Theirs, tmp_path: Path) -> None:
    model = case(name, seed)
    expected = recorded(model, theirs)
    assert 1 <= expected.std() <= 20
    ours = logits(model.write(tmp_path / "source"), model.tokens)
    error = np.abs(ours[SHOWN] - expected).max() / np.abs(expected).max()
    print(f"{name} {seed}: {error:.1e} of the largest logit")
    assert error <= CLOSE
    if not model.has_gguf:
        return
    near = model.as_gguf()
    if near.config != model.config:
        ours = logits(near.write(tmp_path / "near"), model.tokens)
    again = logits(near.write_gguf(tmp_path / "model.gguf"), model.tokens)
    assert np.array_equal(again, ours)  # the same bits


@pytest.mark.live
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ROWS)
def test_each_feature_of_a_family_bites(name: str, seed: int, theirs: Theirs) -> None:
    """A feature that is missing here would be seen by the test above."""
    model, row = case(name, seed), ROWS[name]

    def ask() -> dict[str, float]:
        whole = transformers_logits(model.config, model.weights, model.tokens)
        moved = {}
        for feature in row.features:
            config, weights, passed_by = without(row, feature, model.config, model.weights)
            less = transformers_logits(config, weights, model.tokens, passed_by)
            moved[feature] = round(float(np.abs(less - whole).max()), 2)
        return moved

    moved = theirs(ask, given=[*question(model), row.features])
    assert set(moved) == set(row.features)
    assert min(moved.values()) >= BITES, moved


def test_every_family_has_a_row() -> None:
    """OPT has tests of its own (model_live_test.py)."""
    assert {each.name for each in families.known()} == {*ROWS, "opt"}


@pytest.mark.parametrize("name", ROWS)
def test_a_key_that_no_family_knows_is_refused(name: str) -> None:
    with pytest.raises(flashlm.FormatError, match="glow = True is not known"):
        graph_of_config({**case(name, 0).config, "glow": True}, Path("config.json"))


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("gemma", "hidden_act", "silu", "hidden_act = 'silu' is not supported"),
        (
            "gemma",
            "use_bidirectional_attention",
            True,
            "use_bidirectional_attention = True is not supported",
        ),
        (
            "gemma2",
            "sliding_window",
            0,
            "expected sliding_window to be a positive whole number, got 0",
        ),
        (
            "gemma2",
            "sliding_window",
            None,
            "expected sliding_window to be a positive whole number, got None",
        ),
        (
            "gemma2",
            "layer_types",
            ["full_attention"],
            "expected layer_types to be one of full_attention, sliding",
        ),
        (
            "gemma2",
            "layer_types",
            ["chunked_attention"] * 3,
            "expected layer_types to be one of full_attention",
        ),
        (
            "gemma2",
            "final_logit_softcapping",
            -1.0,
            "expected final_logit_softcapping to be a positive number",
        ),
        (
            "gemma3",
            "rope_scaling",
            {"rope_type": "longrope", "factor": 2.0},
            "rope type 'longrope' is not supported",
        ),
        (
            "gemma3",
            "rope_parameters",
            {"full_attention": {"rope_type": "default", "glow": 1}},
            "glow = 1 is not known",
        ),
        ("gemma3", "rope_parameters", {"sliding_attention": {"glow": 1}}, "glow = 1 is not known"),
        ("granite", "mlp_bias", True, "mlp_bias = True is not supported"),
        (
            "granite",
            "residual_multiplier",
            0,
            "expected residual_multiplier to be a positive number",
        ),
        ("olmo2", "clip_qkv", 8.0, "clip_qkv = 8.0 is not supported"),
        (
            "smollm3",
            "no_rope_layers",
            [1, 0],
            "expected no_rope_layers to be 0 or 1 for each of 5 layers",
        ),
        (
            "smollm3",
            "no_rope_layers",
            [1, 0, 2, 1, 1],
            "expected no_rope_layers to be 0 or 1 for each of 5 layers",
        ),
        ("smollm3", "use_sliding_window", True, "use_sliding_window = True is not supported"),
        ("nemotron", "hidden_act", "silu", "hidden_act = 'silu' is not supported"),
        (
            "nemotron",
            "partial_rotary_factor",
            0.4,
            "expected partial_rotary_factor to give an even number",
        ),
    ],
)
def test_what_a_family_does_not_compute_is_refused(
    name: str, key: str, value: object, message: str
) -> None:
    with pytest.raises(flashlm.FormatError, match=re.escape(message)):
        graph_of_config({**case(name, 0).config, key: value}, Path("config.json"))


def test_both_forms_of_gemma_3s_rope_say_the_same() -> None:
    config = case("gemma3", 0).config
    newer = {key: value for key, value in config.items() if not key.startswith("rope")}
    newer["rope_parameters"] = {
        "full_attention": {**config["rope_scaling"], "rope_theta": config["rope_theta"]},
        "sliding_attention": {"rope_type": "default", "rope_theta": config["rope_local_base_freq"]},
    }
    assert (
        graph_of_config(newer, Path("config.json"))[1]
        == graph_of_config(config, Path("config.json"))[1]
    )


@pytest.mark.parametrize(
    ("text", "tower"),
    [("language_model.model.", "vision_tower."), ("model.language_model.", "model.vision_tower.")],
)
def test_of_a_multimodal_gemma_the_language_model_runs(
    text: str, tower: str, tmp_path: Path
) -> None:
    model = case("gemma3", 0)
    alone = logits(model.write(tmp_path / "text"), model.tokens)
    weights = {name.replace("model.", text, 1): weight for name, weight in model.weights.items()}
    weights[f"{tower}vision_model.post_layernorm.weight"] = np.ones(5, np.float32)
    config = {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "model_type": "gemma3",
        "text_config": model.config,
        "vision_config": {"model_type": "siglip_vision_model"},
    }
    whole = dataclasses.replace(model, config=config, weights=weights)
    assert np.array_equal(logits(whole.write(tmp_path / "whole"), model.tokens), alone)


def test_the_defaults_of_gemma_3_are_those_of_transformers() -> None:
    """As the config of the 4B model has it, which leaves most keys out."""
    text = {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
    }
    text |= {"sliding_window": 1024, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}
    graph = graph_of_config({"model_type": "gemma3", "text_config": text}, Path("config.json"))[1]
    attentions = [layer.find(Attention) for layer in graph.layers]
    windows = [each.window for each in attentions if each is not None]
    assert windows == [None if layer % 6 == 5 else 1024 for layer in range(34)]
    first = graph.attention
    assert (first.heads, first.kv_heads, first.head_dim, first.scale) == (8, 4, 256, 1 / 16)
    ropes = [each.rope for each in attentions if each is not None]
    assert [each.frequencies[0] for each in ropes if each is not None][4:7] == [1.0, 0.125, 1.0]
    assert (graph.head.tied, graph.vocab_size) == (True, 262208)

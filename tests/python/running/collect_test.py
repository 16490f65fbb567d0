# SPDX-License-Identifier: Apache-2.0
"""What training sees of a model: the input and the activations of every feed-forward network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flashlm


def test_collecting_shows_every_token_of_every_layer(lm: flashlm.LanguageModel) -> None:
    native = lm._native
    config = native.config
    ids = lm.tokenizer.encode("The moon is a harsh mistress.")
    calls: list[tuple[int, np.ndarray[Any, Any], np.ndarray[Any, Any]]] = []
    before = native.logits(ids)
    native.collect(ids, lambda layer, x, h: calls.append((layer, x, h)))
    assert [layer for layer, _, _ in calls] == list(range(config["n_layers"]))
    for _, x, h in calls:
        assert x.dtype == h.dtype == np.float32
        assert x.shape == (len(ids), config["dim"])
        assert h.shape == (len(ids), config["hidden_dim"])
        assert np.isfinite(h).all()
        assert np.abs(h).max() > 0
    assert np.array_equal(native.logits(ids), before)


def test_a_callback_may_stop_collecting_and_the_model_goes_on(lm: flashlm.LanguageModel) -> None:
    ids = lm.tokenizer.encode("Hello")
    text = lm.generate("Hello", max_new_tokens=3)

    def stop(*_: Any) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        lm._native.collect(ids, stop)
    assert lm.generate("Hello", max_new_tokens=3) == text

# SPDX-License-Identifier: Apache-2.0
"""real_model_test.py: numerics and counting on SmolLM2-135M-Instruct."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from flashlm import _core

TEXT = (
    "The moon has no light of its own: what we see is sunlight, reflected. Its phases repeat every "
    "29.5 days, " * 2
)


def open_model(folder: Path, memory: str, threads: int, max_batch: int) -> _core.LanguageModel:
    return _core.LanguageModel.open(
        folder, memory=memory, threads=threads, context=256, max_batch=max_batch
    )


@pytest.mark.real
def test_logits_and_text_are_equal_bit_for_bit_whatever_the_budget_threads_and_cuts(
    real: Path,
) -> None:
    resident = open_model(real, "100%", 1, 256)
    ids = resident.tokenizer.encode(TEXT)
    logits = resident.logits(ids)
    text = resident.generate(TEXT, max_new_tokens=16, temperature=0.7, top_p=0.9, seed=11)
    for memory, threads in itertools.product(("50%", "75%", "100%"), (1, 2)):
        for max_batch in (256, 7):
            model = open_model(real, memory, threads, max_batch)
            got = model.logits(ids)
            assert np.array_equal(got.view(np.uint32), logits.view(np.uint32)), (
                memory,
                threads,
                max_batch,
            )
        assert model.generate(TEXT, max_new_tokens=16, temperature=0.7, top_p=0.9, seed=11) == text


@pytest.mark.real
def test_a_prompt_cut_anywhere_is_the_same_prompt(real: Path) -> None:
    model = open_model(real, "60%", 2, 32)
    whole = model.session().generate(TEXT, max_new_tokens=12)
    for cut in range(10, len(TEXT), 40):
        session = model.session()
        session.generate(TEXT[:cut], max_new_tokens=1)
        assert session.generate(TEXT, max_new_tokens=12) == whole
        assert session.stats.reused_tokens > 0


@pytest.mark.real
def test_bytes_read_are_counted_to_the_byte(real: Path) -> None:
    model = open_model(real, "60%", 2, 256)
    plan = model.memory_plan
    assert 0 < plan.streamed < plan.weights
    model.generate("Once upon a time", max_new_tokens=20)
    stats = model.stats
    assert stats.tokens > 10
    # A row of the embedding a token is read beside, and whole blocks of the device: those bytes are
    # counted as gaps.
    gaps = stats.gap_bytes / (stats.tokens + 1)
    assert plan.streamed <= stats.bytes_per_token <= plan.streamed + 1152 + gaps
    assert stats.bytes_per_token <= 1.02 * plan.streamed
    assert stats.hit_rate == pytest.approx(plan.neurons["pinned"] / plan.neurons["bytes"], abs=0.01)

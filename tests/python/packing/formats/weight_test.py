# SPDX-License-Identifier: Apache-2.0
"""Tensors that are read in another order or form than they lie in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flashlm
from flashlm.packing.family.llama_like import unpaired
from flashlm.packing.formats.weight import Weight

NUMBERS = np.random.default_rng(1).standard_normal((24, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Weight:
    path = tmp_path_factory.mktemp("weight") / "data"
    path.write_bytes(b"head" + NUMBERS.tobytes())
    return Weight("m", path, "F32", (24, 6), 4, 24)


def read(weight: Weight) -> Any:
    return np.concatenate([weight.rows(*run, "f32") for run in weight.runs()])


@settings(max_examples=50)
@given(places=st.lists(st.integers(0, 23), min_size=1, max_size=40), begin=st.integers(0, 39))
def test_any_rows_in_any_order(matrix: Weight, places: list[int], begin: int) -> None:
    taken = matrix.take(np.array(places))
    assert np.array_equal(read(taken), NUMBERS[places])
    part = taken.rows(min(begin, len(places) - 1), len(places), "f32")
    assert np.array_equal(part, NUMBERS[places][min(begin, len(places) - 1) :])
    again = taken.take(range(len(places) - 1, -1, -1))
    assert np.array_equal(read(again), NUMBERS[places[::-1]])
    assert again.n_bytes == 24 * len(places)


def test_columns_and_a_constant(matrix: Weight) -> None:
    turned = matrix.transpose()
    assert turned.shape == (6, 24)
    assert np.array_equal(read(turned), NUMBERS.T)
    assert np.array_equal(read(turned.take(np.array([4, 1]))), NUMBERS.T[[4, 1]])
    assert np.array_equal(read(turned.transpose()), NUMBERS)
    assert np.array_equal(read(matrix.plus(1.0)), NUMBERS + np.float32(1))


def test_numbers_of_a_vector(matrix: Weight) -> None:
    vector = Weight("v", matrix.file, "F32", (24 * 6,), 4, 24 * 24)
    assert np.array_equal(
        vector.take(np.array([7, 3, 5])).rows(0, 1, "f32"), NUMBERS.reshape(1, -1)[:, [7, 3, 5]]
    )


def test_two_that_hold_the_same_numbers_are_equal(matrix: Weight) -> None:
    assert matrix.take(range(24)).equals(matrix)
    assert not matrix.take(range(23, -1, -1)).equals(matrix)
    assert not matrix.plus(1.0).equals(matrix)


def test_pairs_become_halves(matrix: Weight) -> None:
    rows = read(unpaired(matrix, 8))
    for head in range(3):
        assert np.array_equal(
            rows[8 * head : 8 * head + 8], NUMBERS[[8 * head + i for i in (0, 2, 4, 6, 1, 3, 5, 7)]]
        )


def test_blocks_are_not_turned() -> None:
    with pytest.raises(flashlm.FormatError, match="plain numbers to transpose, got Q8_0"):
        Weight("q", Path("q"), "Q8_0", (4, 32), 0, 34).transpose()

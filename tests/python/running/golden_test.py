# SPDX-License-Identifier: Apache-2.0
"""The engine against what transformers computed: small random models, and SmolLM2-135M-Instruct (marker `real`).

The numbers and the script that made them are in tests/golden.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
import random_gguf
import random_llama
import random_opt
from random_llama import CASES, SPARSE_CASES, Case
from random_opt import OPT_CASES, OptCase

GOLDEN = Path(__file__).parents[2] / "golden"
SMALL: dict[str, Any] = json.loads((GOLDEN / "small_llama.json").read_text())["cases"]
SPARSE: dict[str, Any] = json.loads((GOLDEN / "small_sparse.json").read_text())["cases"]
REAL: dict[str, Any] = json.loads((GOLDEN / "smollm2_135m.json").read_text())


def open_model(folder: Path, **options: Any) -> flashlm.LanguageModel:
    return flashlm.LanguageModel.from_pretrained(folder, memory="100%", **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_logits_are_those_of_transformers(case: Case, dtype: str, tmp_path: Path) -> None:
    source = random_llama.write_folder(case, tmp_path / "source")
    with open_model(flashlm.pack(source, tmp_path / "out.flash", dtype=dtype)) as lm:
        logits = lm.logits(SMALL[case.name]["tokens"])
    expected = np.asarray(SMALL[case.name]["logits"], np.float32)
    tolerance = 2e-5
    if (
        dtype == "f16"
    ):  # the KV cache is f16 too, which is all that is lost where the weights are f16 numbers
        tolerance = 1e-2 if case.rounded else 3e-2
    assert np.abs(logits - expected).max() < tolerance


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_greedy_tokens_are_those_of_transformers(case: Case, tmp_path: Path) -> None:
    source = random_llama.write_folder(case, tmp_path / "source")
    tokens = SMALL[case.name]["greedy"]
    with open_model(flashlm.pack(source, tmp_path / "out.flash")) as lm:
        logits = lm.logits(tokens[:-1])
    assert logits[3:].argmax(axis=1).tolist() == tokens[4:]


def write_sparse(case: Case | OptCase, folder: Path) -> Path:
    if isinstance(case, OptCase):
        return random_opt.write_folder(case, folder)
    return random_llama.write_folder(case, folder)


@pytest.mark.parametrize("case", SPARSE_CASES + OPT_CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_logits_of_sparse_models_are_those_of_transformers(
    case: Case | OptCase, dtype: str, tmp_path: Path
) -> None:
    source = write_sparse(case, tmp_path / "source")
    golden = SPARSE[case.name]
    with open_model(flashlm.pack(source, tmp_path / "out.flash", dtype=dtype)) as lm:
        logits = lm.logits(golden["tokens"])
        greedy = lm.logits(golden["greedy"][:-1])[3:].argmax(axis=1).tolist()
    tolerance = {"f32": 2e-5, "f16": 1e-2 if case.rounded else 3e-2}[dtype]
    assert np.abs(logits - np.asarray(golden["logits"], np.float32)).max() < tolerance
    if dtype == "f32":
        assert greedy == golden["greedy"][4:]


def test_a_gguf_of_the_same_weights_has_the_same_logits_to_the_bit(tmp_path: Path) -> None:
    case = random_llama.case("head_dim")
    folder = random_llama.write_folder(case, tmp_path / "source")
    file = random_gguf.write(case, tmp_path / "model.gguf")
    with (
        open_model(flashlm.pack(folder, tmp_path / "one.flash")) as one,
        open_model(flashlm.pack(file, tmp_path / "two.flash")) as two,
    ):
        np.testing.assert_array_equal(one.logits(case.tokens), two.logits(case.tokens))


@pytest.mark.parametrize(
    ("kind", "most"), [("F16", 1e-2), ("BF16", 1e-2), ("Q8_0", 0.3), ("Q4_0", 0.3)]
)
def test_a_format_kept_as_it_is_differs_from_its_exact_f32_by_what_is_rounded(
    kind: str, most: float, tmp_path: Path
) -> None:
    """That is the KV cache, and beside blocks the activations: to 8 bits, of logits of up to 5."""
    case = random_llama.case("grouped")
    file = random_gguf.write(case, tmp_path / "model.gguf", kind)
    with (
        open_model(flashlm.pack(file, tmp_path / "native.flash")) as native,
        open_model(flashlm.pack(file, tmp_path / "f32.flash", dtype="f32")) as exact,
    ):
        difference = np.abs(native.logits(case.tokens) - exact.logits(case.tokens))
        assert 0 < difference.max() < most
        assert difference.mean() < most / 5


@pytest.fixture(scope="module")
def text() -> dict[str, str]:
    """The golden texts, with the line ends that they have."""
    return {path.stem: path.read_bytes().decode() for path in (GOLDEN / "texts").iterdir()}


@pytest.fixture(scope="module")
def lm(real: Path) -> Iterator[flashlm.LanguageModel]:
    """SmolLM2, packed as by default: f16."""
    with open_model(real) as model:
        yield model


@pytest.fixture(scope="module")
def exact(real_gguf: Path) -> Iterator[flashlm.LanguageModel]:
    """SmolLM2, packed as f32."""
    from flashlm import home

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLASHLM_HOME", str(real_gguf.parent.parent))
        folder = home.packed(real_gguf, dtype="f32")
    with open_model(folder) as model:
        yield model


@pytest.mark.real
@pytest.mark.parametrize("name", ["english", "code", "scripts"])
def test_token_ids_of_the_real_model(
    lm: flashlm.LanguageModel, text: dict[str, str], name: str
) -> None:
    ids = lm.tokenizer.encode(text[name])
    assert list(ids) == REAL["texts"][name]["ids"]
    assert (lm.tokenizer.decode(ids) == text[name]) == REAL["texts"][name]["decoded_is_text"]


@pytest.mark.real
def test_digits_are_split_as_the_model_was_trained(
    lm: flashlm.LanguageModel, text: dict[str, str]
) -> None:
    assert list(lm.tokenizer.encode(text["digits"])) == REAL["digits"]["ids"]


@pytest.mark.real
@pytest.mark.parametrize("name", ["english", "code", "scripts"])
def test_perplexity_of_the_real_model(
    lm: flashlm.LanguageModel, text: dict[str, str], name: str
) -> None:
    assert lm.perplexity(text[name]) == pytest.approx(
        REAL["texts"][name]["perplexity"], rel=1e-2
    )  # activations have 8 bits


@pytest.mark.real
@pytest.mark.parametrize("name", ["english", "code", "scripts"])
def test_perplexity_of_the_real_model_in_f32(
    exact: flashlm.LanguageModel, text: dict[str, str], name: str
) -> None:
    assert exact.perplexity(text[name]) == pytest.approx(
        REAL["texts"][name]["perplexity"], rel=1e-5
    )


@pytest.mark.real
@pytest.mark.parametrize("dtype", ["q8_0", "q4_0"])
def test_perplexity_of_the_real_model_with_fewer_bits(
    real_gguf: Path, text: dict[str, str], dtype: str, tmp_path: Path
) -> None:
    """That of transformers with these blocks, but for activations of 8 bits.

    q8_0 costs almost nothing, q4_0 much.
    """
    with open_model(flashlm.pack(real_gguf, tmp_path / "out.flash", dtype=dtype)) as lm:
        for name in ("english", "code", "scripts"):
            golden = REAL["texts"][name]
            assert lm.perplexity(text[name]) == pytest.approx(
                golden[f"perplexity_{dtype}"], rel=1e-2
            )
            loss = golden[f"perplexity_{dtype}"] / golden["perplexity"] - 1
            assert 0 < loss < 0.01 if dtype == "q8_0" else 0.2 < loss < 0.6


@pytest.mark.real
def test_perplexity_in_windows(real: Path, text: dict[str, str]) -> None:
    with open_model(real, context=REAL["window"]) as lm:
        expected = REAL["texts"]["english"]["perplexity_in_windows"]
        assert lm.perplexity(text["english"]) == pytest.approx(expected, rel=1e-2)


@pytest.mark.real
@pytest.mark.parametrize("name", ["plain", "code", "chat"])
def test_the_first_twelve_greedy_tokens(lm: flashlm.LanguageModel, name: str) -> None:
    golden = REAL["prompts"][name]
    ids = list(lm.tokenizer.encode(golden["text"]))
    assert ids == golden["ids"]
    logits = lm.logits(ids + golden["greedy"][:-1])
    assert logits[len(ids) - 1 :].argmax(axis=1).tolist() == golden["greedy"]
    assert lm.generate(golden["text"], max_new_tokens=12) == golden["greedy_text"]


@pytest.mark.real
@pytest.mark.parametrize("name", ["plain", "code", "chat"])
def test_logits_of_the_real_model_in_f32(exact: flashlm.LanguageModel, name: str) -> None:
    golden = REAL["prompts"][name]
    logits = exact.logits(golden["ids"])[-1]
    assert (
        max(abs(float(logits[int(i)]) - value) for i, value in golden["last_logits"].items()) < 2e-4
    )


@pytest.mark.real
def test_the_chat_of_the_real_model(lm: flashlm.LanguageModel) -> None:
    assert lm.chat(REAL["messages"], max_new_tokens=12) == REAL["prompts"]["chat"]["greedy_text"]

# SPDX-License-Identifier: Apache-2.0
"""A real Qwen2.5-Coder-0.5B as people have it: Q5_0 with Q4_K, Q6_K and Q8_0, against float32 on the same file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
from flashlm import _core
from flashlm.packing.formats.gguf_header import read_header

TESTS = Path(__file__).parents[2]
GOLDEN: dict[str, Any] = json.loads((TESTS / "golden" / "qwen25_coder_05b.json").read_text())
CLOSE = 0.05  # nats a token
SURE = 0.15  # by which another logit may be above that of float32's best token

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
def qwen(qwen_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert hashlib.sha256(qwen_gguf.read_bytes()).hexdigest() == GOLDEN["sha256"]
    return flashlm.pack(qwen_gguf, tmp_path_factory.mktemp("qwen") / "qwen.flash")


def text_of(name: str) -> str:
    return (TESTS / "golden" / "texts" / f"{name}.txt").read_bytes().decode()


def test_token_ids_are_those_of_the_reference(qwen: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(qwen, memory="50%", context=512) as lm:
        for name, expected in GOLDEN["texts"].items():
            assert lm.tokenizer.encode(text_of(name)) == expected["ids"], name
        for prompt in GOLDEN["prompts"].values():
            assert lm.tokenizer.encode(prompt["text"], parse_special=True) == prompt["ids"]


def test_likelihoods_are_those_of_float32(qwen: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(qwen, memory="50%", context=1024) as lm:
        for name, expected in GOLDEN["texts"].items():
            ids = expected["ids"]
            logits = lm.logits(ids).astype(np.float64)[:-1]
            logits -= logits.max(axis=1, keepdims=True)
            ours = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(ids) - 1), ids[1:]]
            difference = np.abs(ours - np.array(expected["negative_log_likelihoods"]))
            print(
                name,
                len(ids),
                "tokens, mean difference",
                difference.mean(),
                "nats, largest",
                difference.max(),
            )
            assert difference.mean() <= CLOSE, name


def test_greedy_tokens_of_float32_are_the_best_where_it_is_sure(qwen: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(qwen, memory="50%", context=512) as lm:
        for name, prompt in GOLDEN["prompts"].items():
            greedy = prompt["greedy"]
            logits = lm.logits(prompt["ids"] + greedy[:-1])[-len(greedy) :]
            behind = logits.max(axis=1) - logits[np.arange(len(greedy)), greedy]
            print(name, "behind the best", behind.max(), "at most, lead", prompt["smallest_lead"])
            assert behind.max() <= SURE, name


def test_the_weights_are_kept_in_the_bytes_that_they_had(qwen: Path, qwen_gguf: Path) -> None:
    manifest = json.loads(_core.read_manifest(str(qwen)))
    assert "rounding_error" not in manifest["source"]
    after = sum(file["bytes"] for file in manifest["files"] if "header_bytes" in file)
    before = sum(tensor.n_bytes for tensor in read_header(qwen_gguf).tensors.values())
    assert after <= 1.01 * before

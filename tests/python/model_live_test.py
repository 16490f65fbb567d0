# SPDX-License-Identifier: Apache-2.0
"""The engine against transformers, live: configs and tokens drawn at random, and the golden files made again."""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import flashlm
import random_gguf
import random_llama
import random_opt
from flashlm.pack.gpt2_tokenizer import gpt2_tokenizer_json
from random_llama import CASES, SPARSE_CASES, Case
from random_opt import OPT_CASES, OptCase

GOLDEN = Path(__file__).parents[1] / "golden"
pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def goldens(need: Callable[[str], Any]) -> ModuleType:
    """The script that made the golden files."""
    need("torch")
    need("transformers")
    spec = importlib.util.spec_from_file_location("make_goldens", GOLDEN / "make_goldens.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_case(seed: int) -> Case:
    """A small Llama with sizes and rope scaling drawn at random."""
    draw = random.Random(seed)
    n_kv_heads = draw.choice([1, 2, 3])
    head_dim = draw.choice([4, 6, 16, 32])
    n_heads = n_kv_heads * draw.choice([1, 2, 4])
    scaling: dict[str, Any] | None = None
    kind = draw.choice(["default", "linear", "llama3"])
    if kind == "linear":
        scaling = {"rope_type": "linear", "factor": draw.choice([1.5, 4.0])}
    elif kind == "llama3":
        scaling = {
            "rope_type": "llama3",
            "factor": draw.choice([2.0, 8.0]),
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": draw.choice([16, 64]),
        }
    return Case(
        f"random{seed}",
        seed,
        dim=draw.randrange(1, 10) * n_heads,  # transformers wants a multiple, though head_dim is free
        hidden_dim=draw.randrange(1, 130),
        n_layers=draw.choice([1, 2, 4]),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_dim=head_dim,
        epsilon=draw.choice([1e-5, 1e-6]),
        rope_theta=draw.choice([1e4, 1e5, 5e5]),
        rope_scaling=scaling,
        tied=draw.random() < 0.5,
        activation=(activation := draw.choice(["silu", "relu", "relu2", "fatrelu"])),
        threshold=draw.choice([0.01, 0.5]) if activation == "fatrelu" else None,
        rounded=False,
        tokens=tuple(draw.randrange(101) for _ in range(draw.choice([1, 5, 70]))),
    )


def random_opt_case(seed: int) -> OptCase:
    """A small OPT with sizes drawn at random."""
    draw = random.Random(seed)
    n_heads = draw.choice([1, 2, 3, 8])
    return OptCase(
        f"random{seed}",
        seed,
        dim=draw.choice([1, 4, 7, 16]) * n_heads,
        hidden_dim=draw.randrange(1, 200),
        n_layers=draw.choice([1, 2, 4]),
        n_heads=n_heads,
        tied=draw.random() < 0.7,
        biases=draw.random() < 0.7,
        rounded=False,
        tokens=tuple(draw.randrange(101) for _ in range(draw.choice([1, 5, 64]))),
    )


@pytest.mark.parametrize("seed", range(8))
def test_logits_of_random_opt_models(goldens: ModuleType, seed: int, tmp_path: Path) -> None:
    case = random_opt_case(seed)
    model = goldens.transformers_model(case)
    model.save_pretrained(tmp_path / "source")
    (tmp_path / "source" / "tokenizer.json").write_text(json.dumps(random_llama.tokenizer()))
    folder = flashlm.pack(tmp_path / "source", tmp_path / "out.flash")
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
        assert np.abs(lm.logits(case.tokens) - goldens.logits_of(model, list(case.tokens))).max() < 1e-4


def test_the_tokens_of_older_tokenizer_files_are_those_of_transformers(
    need: Callable[[str], Any], tmp_path: Path
) -> None:
    transformers = need("transformers")
    files = random_opt.write_older_tokenizer(tmp_path)
    theirs = transformers.GPT2Tokenizer.from_pretrained(files)
    ours = gpt2_tokenizer_json(files, adds_bos=True)
    tokenizer = flashlm.Tokenizer.parse(json.dumps(ours), "tokenizer.json")
    for text in ("the thing", "Über 12 naïve  cafés\n\n</s>there<pad> \t!", "", " the"):
        ids = theirs(text).input_ids
        assert ids[0] == 2  # OPT begins every text with </s>
        assert tokenizer.encode(text) == ids


@pytest.mark.parametrize("seed", range(12))
def test_logits_of_random_models(goldens: ModuleType, seed: int, tmp_path: Path) -> None:
    case = random_case(seed)
    expected = goldens.logits_of(goldens.transformers_model(case), list(case.tokens))
    source = random_llama.write_folder(case, tmp_path / "source", shards=1 + seed % 3)
    with flashlm.LanguageModel.from_pretrained(flashlm.pack(source, tmp_path / "out.flash"), memory="100%") as lm:
        assert np.abs(lm.logits(case.tokens) - expected).max() < 1e-4


def test_a_folder_that_transformers_saved_is_read(goldens: ModuleType, tmp_path: Path) -> None:
    case = random_llama.case("llama3_rope")
    model = goldens.transformers_model(case)
    model.save_pretrained(tmp_path / "source")
    (tmp_path / "source" / "tokenizer.json").write_text(json.dumps(random_llama.tokenizer()))
    with flashlm.LanguageModel.from_pretrained(
        flashlm.pack(tmp_path / "source", tmp_path / "out.flash"), memory="100%"
    ) as lm:
        assert np.abs(lm.logits(case.tokens) - goldens.logits_of(model, list(case.tokens))).max() < 1e-4


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"])
def test_a_gguf_is_read_as_transformers_reads_it(
    goldens: ModuleType, need: Callable[[str], Any], kind: str, tmp_path: Path
) -> None:
    need("accelerate")  # transformers asks for it to read GGUF
    transformers, torch = need("transformers"), need("torch")
    case = random_llama.case("grouped")
    path = random_gguf.write(case, tmp_path / "model.gguf", kind)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    folder = flashlm.pack(path, tmp_path / "out.flash", dtype="f32")
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
        assert np.abs(lm.logits(case.tokens) - goldens.logits_of(model, list(case.tokens))).max() < 1e-4


@pytest.mark.parametrize("case", CASES + SPARSE_CASES + OPT_CASES, ids=lambda case: case.name)
def test_the_golden_logits_can_be_made_again(goldens: ModuleType, case: Case | OptCase) -> None:
    file = "small_llama.json" if case in CASES else "small_sparse.json"
    golden = json.loads((GOLDEN / file).read_text())["cases"][case.name]
    logits = goldens.logits_of(goldens.transformers_model(case), list(case.tokens))
    assert golden["tokens"] == list(case.tokens)
    assert np.abs(logits - np.asarray(golden["logits"], np.float32)).max() < 1e-5

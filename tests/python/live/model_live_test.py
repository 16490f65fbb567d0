# SPDX-License-Identifier: Apache-2.0
"""The engine against transformers: configs, weights and tokens drawn at random, and the golden files made again."""

from __future__ import annotations

import functools
import importlib.util
import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import flashlm
import random_gguf
import random_llama
import random_opt
from flashlm.packing.tokenizers.gpt2_tokenizer import gpt2_tokenizer_json
from random_llama import CASES, SPARSE_CASES, Case
from random_opt import OPT_CASES, OptCase
from theirs import AnswerError, Theirs, digest

GOLDEN = Path(__file__).parents[2] / "golden"
CLOSE = 1e-4  # of our logits to theirs
SAME = 1e-5  # of theirs, computed today, to theirs as they were recorded


@pytest.fixture(scope="module")
def goldens(need: Callable[[str], Any]) -> Callable[[], ModuleType]:
    """Imports the script that made the golden files, and torch and transformers with it."""

    @functools.cache
    def load() -> ModuleType:
        need("torch")
        need("transformers")
        spec = importlib.util.spec_from_file_location("make_goldens", GOLDEN / "make_goldens.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


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
        dim=draw.randrange(1, 10)
        * n_heads,  # transformers wants a multiple, though head_dim is free
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


def weights_of(case: Case | OptCase) -> dict[str, Any]:
    return dict((random_opt if isinstance(case, OptCase) else random_llama).weights(case))


def question(case: Case | OptCase, **more: Any) -> list[Any]:
    """What the logits of a case are computed from."""
    config = (random_opt if isinstance(case, OptCase) else random_llama).config(case)
    return [config, weights_of(case), list(case.tokens), more]


def distance(source: Path, tokens: Sequence[int], expected: Any, **options: Any) -> float:
    """Of the logits of a model, packed, to those that are expected."""
    shutil.rmtree(source.parent / "out.flash", ignore_errors=True)
    folder = flashlm.pack(source, source.parent / "out.flash", **options)
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
        return float(np.abs(lm.logits(tokens) - expected).max())


def as_transformers_saves(
    case: Case | OptCase, goldens: Callable[[], ModuleType], theirs: Theirs, folder: Path
) -> Path:
    """The folder that save_pretrained writes of a case, made of its recorded files and the case's weights."""
    from safetensors.numpy import load_file, save_file

    def ask() -> dict[str, Any]:
        goldens().transformers_model(case).save_pretrained(folder / "theirs")
        texts = {
            path.name: json.loads(path.read_text())
            for path in sorted((folder / "theirs").glob("*.json"))
        }
        for text in texts.values():
            text.pop("transformers_version", None)
        tensors = load_file(folder / "theirs" / "model.safetensors")
        return {"texts": texts, "tensors": sorted(tensors), "checksum": digest(tensors)}

    saved = theirs(ask, given=question(case))
    weights = weights_of(case)
    tensors = {name: weights[name] for name in saved["tensors"]}
    assert digest(tensors) == saved["checksum"]  # the same bits
    source = folder / "source"
    source.mkdir()
    for name, text in saved["texts"].items():
        (source / name).write_text(json.dumps(text))
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    (source / "tokenizer.json").write_text(json.dumps(random_llama.tokenizer()))
    return source


def logits_of(case: Case | OptCase, goldens: Callable[[], ModuleType], theirs: Theirs) -> Any:
    """What transformers computes of a case."""
    return theirs(
        lambda: goldens().logits_of(goldens().transformers_model(case), list(case.tokens)),
        given=question(case),
        within=SAME,
    )


@pytest.mark.live
@pytest.mark.parametrize("seed", range(8))
def test_logits_of_random_opt_models(
    goldens: Callable[[], ModuleType], theirs: Theirs, seed: int, tmp_path: Path
) -> None:
    case = random_opt_case(seed)
    expected = logits_of(case, goldens, theirs)
    source = as_transformers_saves(case, goldens, theirs, tmp_path)
    assert distance(source, case.tokens, expected) < CLOSE


@pytest.mark.live
def test_the_tokens_of_older_tokenizer_files_are_those_of_transformers(
    need: Callable[[str], Any], theirs: Theirs, tmp_path: Path
) -> None:
    files = random_opt.write_older_tokenizer(tmp_path)
    ours = gpt2_tokenizer_json(files, adds_bos=True)
    tokenizer = flashlm.Tokenizer.parse(json.dumps(ours), "tokenizer.json")
    texts = ("the thing", "Über 12 naïve  cafés\n\n</s>there<pad> \t!", "", " the")

    def ask() -> list[list[int]]:
        reference = need("transformers").GPT2Tokenizer.from_pretrained(files)
        return [reference(text).input_ids for text in texts]

    for text, ids in zip(texts, theirs(ask, given=[files, texts]), strict=True):
        assert ids[0] == 2  # OPT begins every text with </s>
        assert tokenizer.encode(text) == ids


@pytest.mark.live
@pytest.mark.parametrize("seed", range(12))
def test_logits_of_random_models(
    goldens: Callable[[], ModuleType], theirs: Theirs, seed: int, tmp_path: Path
) -> None:
    case = random_case(seed)
    expected = logits_of(case, goldens, theirs)
    source = random_llama.write_folder(case, tmp_path / "source", shards=1 + seed % 3)
    assert distance(source, case.tokens, expected) < CLOSE


@pytest.mark.live
def test_a_folder_that_transformers_saved_is_read(
    goldens: Callable[[], ModuleType], theirs: Theirs, tmp_path: Path
) -> None:
    case = random_llama.case("llama3_rope")
    expected = logits_of(case, goldens, theirs)
    source = as_transformers_saves(case, goldens, theirs, tmp_path)
    assert distance(source, case.tokens, expected) < CLOSE


@pytest.mark.live
@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"])
def test_a_gguf_is_read_as_transformers_reads_it(
    goldens: Callable[[], ModuleType],
    need: Callable[[str], Any],
    theirs: Theirs,
    kind: str,
    tmp_path: Path,
) -> None:
    case = random_llama.case("grouped")
    path = random_gguf.write(case, tmp_path / "model.gguf", kind)

    def ask() -> Any:
        need("accelerate")  # transformers asks for it to read GGUF
        transformers, torch = need("transformers"), need("torch")
        model = transformers.AutoModelForCausalLM.from_pretrained(
            tmp_path, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        return goldens().logits_of(model, list(case.tokens))

    expected = theirs(
        ask, given=question(case, kind=digest(random_gguf.dequantised(case, kind))), within=SAME
    )
    assert distance(path, case.tokens, expected, dtype="f32") < CLOSE


def changed(case: Case | OptCase) -> dict[str, Any]:
    """The case's weights, one number of all changed."""
    weights = weights_of(case)
    # A layer norm of one number or two makes signs of them, so that nothing before it counts much.
    flat = isinstance(case, OptCase) and case.dim <= 2
    end = "decoder.final_layer_norm.bias" if flat else "layers.0.self_attn.v_proj.weight"
    name = next(name for name in weights if name.endswith(end))
    weights[name] = weights[name].copy()
    weights[name].flat[0] += 0.5
    return weights


@pytest.mark.live
@pytest.mark.parametrize(
    ("function", "seed"),
    [
        *(("test_logits_of_random_models", seed) for seed in range(12)),
        *(("test_logits_of_random_opt_models", seed) for seed in range(8)),
    ],
)
def test_one_weight_that_is_wrong_is_noticed(function: str, seed: int, tmp_path: Path) -> None:
    """The comparisons above can fail."""
    from safetensors.numpy import save_file

    is_opt = function == "test_logits_of_random_opt_models"
    case = random_opt_case(seed) if is_opt else random_case(seed)
    source = (random_opt if is_opt else random_llama).write_folder(case, tmp_path / "source")
    recorded = Theirs(function, str(seed))
    expected = recorded.recorded(str(seed), digest(question(case)))
    assert distance(source, case.tokens, expected) < CLOSE
    save_file(changed(case), source / "model.safetensors")
    assert distance(source, case.tokens, expected) > 10 * CLOSE
    with pytest.raises(AnswerError, match="the question is not the one that was answered"):
        recorded.recorded(
            str(seed), digest([question(case)[0], changed(case), list(case.tokens), {}])
        )


@pytest.mark.live
@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"])
def test_one_weight_of_a_gguf_that_is_wrong_is_noticed(kind: str, tmp_path: Path) -> None:
    def change(_: Any, arrays: dict[str, Any]) -> None:
        arrays["blk.0.attn_v.weight"] = arrays["blk.0.attn_v.weight"].copy()
        arrays["blk.0.attn_v.weight"][0, 0] += 0.5

    case = random_llama.case("grouped")
    expected = Theirs("test_a_gguf_is_read_as_transformers_reads_it", kind).recorded(kind)
    path = random_gguf.write(case, tmp_path / "model.gguf", kind, change=change)
    assert distance(path, case.tokens, expected, dtype="f32") > 10 * CLOSE


@pytest.mark.torch
@pytest.mark.parametrize("case", CASES + SPARSE_CASES + OPT_CASES, ids=lambda case: case.name)
def test_the_golden_logits_can_be_made_again(
    goldens: Callable[[], ModuleType], case: Case | OptCase
) -> None:
    file = "small_llama.json" if case in CASES else "small_sparse.json"
    golden = json.loads((GOLDEN / file).read_text())["cases"][case.name]
    logits = goldens().logits_of(goldens().transformers_model(case), list(case.tokens))
    assert golden["tokens"] == list(case.tokens)
    assert np.abs(logits - np.asarray(golden["logits"], np.float32)).max() < 1e-5

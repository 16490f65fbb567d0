# SPDX-License-Identifier: Apache-2.0
"""Two names for one tensor: what a checkpoint calls the embedding, the head and the parts of a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
import random_gguf
import random_llama
import random_opt

EMBEDDING = {"llama": "model.embed_tokens.weight", "opt": "model.decoder.embed_tokens.weight"}
TIED: dict[str, Any] = {"llama": random_llama.case("tied"), "opt": random_opt.OPT_CASES[0]}
TEXT = "the theme"


def opt_or_llama(architecture: str) -> Any:
    return random_opt if architecture == "opt" else random_llama


def write(
    architecture: str,
    folder: Path,
    change: Callable[[dict[str, Any]], dict[str, Any] | None],
    **config: Any,
) -> Path:
    """The folder of a tied model, its tensors changed."""
    from safetensors.numpy import save_file

    module, case = opt_or_llama(architecture), TIED[architecture]
    source: Path = module.write_folder(case, folder)
    tensors: dict[str, Any] = dict(module.weights(case))
    save_file(change(tensors) or tensors, source / "model.safetensors")
    path = source / "config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"tie_word_embeddings": True} | config)
    )
    return source


def logits(folder: Path) -> Any:
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%", threads=1) as lm:
        return lm.logits([5, 3, 17, 42])


def only_head(architecture: str) -> Callable[[dict[str, Any]], None]:
    return lambda tensors: tensors.update({"lm_head.weight": tensors.pop(EMBEDDING[architecture])})


def renamed(begin: str, other: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Names that begin otherwise."""
    return lambda tensors: {
        (other + name.removeprefix(begin) if name.startswith(begin) else name): value
        for name, value in tensors.items()
    }


@pytest.mark.parametrize(
    ("architecture", "change"),
    [
        ("llama", only_head("llama")),
        ("opt", only_head("opt")),
        ("opt", renamed("model.", "")),  # as OPT was published
        (
            "opt",
            lambda tensors: renamed("model.", "")(
                {**tensors, "lm_head.weight": tensors.pop(EMBEDDING["opt"])}
            ),
        ),
        ("llama", renamed("model.", "")),  # as the inner model is saved
        (
            "llama",
            lambda tensors: tensors.update({"lm_head.weight": tensors[EMBEDDING["llama"]].copy()}),
        ),
        (
            "llama",
            lambda tensors: tensors.update({"norm.weight": tensors["model.norm.weight"].copy()}),
        ),
    ],
)
def test_a_tied_model_is_the_same_whatever_its_tensors_are_called(
    tmp_path: Path, architecture: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    plain = flashlm.pack(
        write(architecture, tmp_path / "plain", lambda _: None), tmp_path / "plain.flash"
    )
    other = flashlm.pack(write(architecture, tmp_path / "other", change), tmp_path / "other.flash")
    assert np.array_equal(logits(plain), logits(other))
    assert (plain / "resident.safetensors").read_bytes() == (
        other / "resident.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("architecture", ["llama", "opt"])
def test_a_head_that_differs_from_tied_embeddings_is_used_as_transformers_does(
    tmp_path: Path, architecture: str
) -> None:
    def with_head(tensors: dict[str, Any]) -> None:
        tensors["lm_head.weight"] = np.ascontiguousarray(tensors[EMBEDDING[architecture]][::-1])

    said_tied = flashlm.pack(write(architecture, tmp_path / "a", with_head), tmp_path / "a.flash")
    untied = write(architecture, tmp_path / "b", with_head, tie_word_embeddings=False)
    assert np.array_equal(logits(said_tied), logits(flashlm.pack(untied, tmp_path / "b.flash")))
    assert json.loads((said_tied / "flashlm.json").read_text())["graph"]["head"]["tied"] is False
    plain = flashlm.pack(write(architecture, tmp_path / "c", lambda _: None), tmp_path / "c.flash")
    assert np.array_equal(logits(said_tied)[:, ::-1], logits(plain))


def test_two_names_of_one_tensor_that_differ_are_refused(tmp_path: Path) -> None:
    source = write(
        "llama", tmp_path / "a", lambda t: t.update({"norm.weight": t["model.norm.weight"] + 1})
    )
    with pytest.raises(
        flashlm.FormatError,
        match=r"norm.weight and (model.)?norm.weight are two names .* and differ",
    ):
        flashlm.pack(source, tmp_path / "a.flash")
    source = write(
        "opt", tmp_path / "b", lambda t: t.update({"embed_tokens.weight": t[EMBEDDING["opt"]]})
    )
    with pytest.raises(flashlm.FormatError, match=r"no place for embed_tokens.weight"):
        flashlm.pack(source, tmp_path / "b.flash")


@pytest.mark.parametrize("gone", ["lm_head.weight", "model.embed_tokens.weight"])
def test_an_untied_model_needs_both(tmp_path: Path, gone: str) -> None:
    from safetensors.numpy import save_file

    case = random_llama.case("grouped")
    source = random_llama.write_folder(case, tmp_path / "source")
    tensors: dict[str, Any] = dict(random_llama.weights(case))
    del tensors[gone]
    save_file(tensors, source / "model.safetensors")
    with pytest.raises(flashlm.FormatError, match=r"expected (head|embedding) .* which is missing"):
        flashlm.pack(source, tmp_path / "out.flash")


@pytest.mark.parametrize("keeps", ["token_embd.weight", "output.weight"])
def test_a_gguf_with_either_name_alone_is_tied(tmp_path: Path, keeps: str) -> None:
    case = TIED["llama"]
    path = random_gguf.write(
        case,
        tmp_path / "m.gguf",
        change=lambda _, arrays: arrays.update({keeps: arrays.pop("token_embd.weight")}),
    )
    expected = logits(
        flashlm.pack(write("llama", tmp_path / "plain", lambda _: None), tmp_path / "plain.flash")
    )
    folder = flashlm.pack(path, tmp_path / "m.flash")
    assert np.allclose(logits(folder), expected, atol=1e-4)
    assert json.loads((folder / "flashlm.json").read_text())["graph"]["head"]["tied"] is True

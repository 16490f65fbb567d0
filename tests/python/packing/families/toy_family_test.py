# SPDX-License-Identifier: Apache-2.0
"""The recipe of docs/families.md: one file more, and models of another family pack and run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
import random_gguf
import random_llama
from flashlm.packing import families

PAGE = Path(__file__).parents[4] / "docs" / "families.md"
CASE = random_llama.Case("toy", 3, n_heads=3, n_kv_heads=3, dim=48, n_layers=3)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's file among the families."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "toy.py").write_text(code)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path / "families")])
    families.known.cache_clear()
    yield
    sys.modules.pop("flashlm.packing.families.toy", None)
    families.known.cache_clear()


def write_folder(folder: Path) -> Path:
    """The case in the words of the page's family."""
    from safetensors.numpy import save_file

    weights: dict[str, Any] = dict(random_llama.weights(CASE))
    body = {"embed_tokens": "wte", "norm": "ln_f"}
    parts = {
        "input_layernorm": "ln_1",
        "self_attn.o_proj": "out",
        "post_attention_layernorm": "ln_2",
        "mlp.gate_proj": "gate",
        "mlp.up_proj": "up",
        "mlp.down_proj": "down",
    }
    told: dict[str, Any] = {"language_model.head.weight": weights["lm_head.weight"]}
    for theirs, ours in body.items():
        told[f"language_model.{ours}.weight"] = weights[f"model.{theirs}.weight"]
    for layer in range(CASE.n_layers):
        prefix = f"model.layers.{layer}."
        for theirs, ours in parts.items():
            told[f"language_model.h.{layer}.{ours}.weight"] = weights[f"{prefix}{theirs}.weight"]
        qkv = [weights[f"{prefix}self_attn.{part}_proj.weight"] for part in "qkv"]
        heads = np.stack([each.reshape(CASE.n_heads, -1, CASE.dim) for each in qkv], axis=1)
        told[f"language_model.h.{layer}.qkv.weight"] = heads.reshape(-1, CASE.dim)
    for name, array in told.items():
        if name.endswith(("gate.weight", "up.weight", "down.weight")):
            told[name] = np.ascontiguousarray(array.T)
        elif array.ndim == 1:
            told[name] = array - np.float32(1)
    told["vision_tower.patch.weight"] = np.ones((3, 3), np.float32)
    folder.mkdir()
    save_file(told, folder / "model.safetensors")
    text = {
        key: value for key, value in random_llama.config(CASE).items() if key != "architectures"
    }
    config = {
        "architectures": ["ToyForConditionalGeneration"],
        "model_type": "toy",
        "text_config": text,
    }
    (folder / "config.json").write_text(json.dumps(config | {"vision_config": {"depth": 2}}))
    (folder / "tokenizer.json").write_text(json.dumps(random_llama.tokenizer()), encoding="utf-8")
    return folder


def logits(source: Path) -> Any:
    folder = flashlm.pack(source, source.with_name(f"{source.name}.flash"))
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
        assert lm.generate("the", max_new_tokens=2) is not None
        return lm.logits(CASE.tokens)


@pytest.mark.usefixtures("toy")
def test_a_family_is_one_file(tmp_path: Path) -> None:
    expected = logits(random_llama.write_folder(CASE, tmp_path / "llama"))
    assert np.array_equal(logits(write_folder(tmp_path / "toy")), expected)
    assert json.loads((tmp_path / "toy.flash" / "flashlm.json").read_text())["family"] == "toy"
    assert np.array_equal(
        logits(random_gguf.write(CASE, tmp_path / "m.gguf", architecture="toy")), expected
    )
    assert ", toy, " in families.runs()


@pytest.mark.usefixtures("toy")
def test_its_refusals_name_it_and_its_keys(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "toy")
    config = json.loads((source / "config.json").read_text())
    config["text_config"]["glow"] = 3
    (source / "config.json").write_text(json.dumps(config))
    with pytest.raises(flashlm.FormatError, match=r"glow = 3 is not known.*, toy, "):
        flashlm.pack(source, tmp_path / "out.flash")


def test_without_the_file_the_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        flashlm.FormatError, match=r"one that runs, got ToyForConditionalGeneration"
    ):
        flashlm.pack(write_folder(tmp_path / "toy"), tmp_path / "out.flash")

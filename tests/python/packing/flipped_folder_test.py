# SPDX-License-Identifier: Apache-2.0
"""flipped_folder_test.py: no changed byte of a packed folder's small files and headers goes unnoticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flashlm
import random_gguf
import random_llama
import random_predictor


@pytest.fixture(scope="module", params=["q8_0", "q4_0"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model whose matrices are blocks."""
    place = tmp_path_factory.mktemp("quantised")
    case = random_llama.Case("quantised", 7, hidden_dim=96, context=64)
    source = random_gguf.write(case, place / "model.gguf", request.param.upper())
    packed = flashlm.pack(source, place / "model.flash")
    assert manifest(packed)["dtype"] == request.param
    return Path(packed)


@settings(max_examples=200)
@given(data=st.data())
def test_a_flipped_byte_of_a_quantised_folder_is_a_format_error(
    folder: Path, data: st.DataObject
) -> None:
    name, checked = data.draw(st.sampled_from(sorted(checked_bytes(folder).items())))
    at = data.draw(st.integers(0, checked - 1))
    path = folder / name
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ data.draw(st.integers(1, 255))]))
    try:
        with pytest.raises(flashlm.FormatError):
            flashlm.LanguageModel.from_pretrained(folder, memory="100%")
    finally:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(bytes([byte]))


@pytest.fixture(scope="module", params=["predictor", "gate", "threshold"])
def chosen(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The file of a selector in a packed folder, and the selector's name."""
    name, place = request.param, tmp_path_factory.mktemp("chosen")
    case = random_llama.case("grouped" if name == "threshold" else "relu")
    source = random_llama.write_folder(case, place / "source")
    folder = Path(flashlm.pack(source, place / "model.flash", neurons_per_bundle=1))
    if name == "predictor":
        random_predictor.write(folder)
    elif name == "gate":
        flashlm.add_gates(folder)
    else:
        flashlm.add_thresholds(folder, "The thing is there. " * 8, sparsity=0.4, memory="100%")
    return folder / {"predictor": "predictor", "gate": "gates", "threshold": "thresholds"}[
        name
    ], str(name)


@settings(max_examples=150)
@given(data=st.data())
def test_a_flipped_bit_of_a_selectors_file_is_a_format_error_wherever_it_is(
    chosen: tuple[Path, str], data: st.DataObject
) -> None:
    path, selector = chosen[0].with_suffix(".safetensors"), chosen[1]
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    text = content[:header].rstrip(b" ")
    at = data.draw(
        st.one_of(
            st.integers(0, len(text) - 1),
            st.integers(0, header - 1),
            st.integers(0, len(content) - 1),
        )
    )
    changed = bytearray(content)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(changed)
    try:
        with pytest.raises(flashlm.FormatError):
            flashlm.LanguageModel.from_pretrained(path.parent, memory="100%", selector=selector)
        with pytest.raises(flashlm.FormatError):
            flashlm.verify(path.parent)
    finally:
        path.write_bytes(content)


def test_a_wrong_name_in_a_predictor_does_not_turn_its_layer_dense(tmp_path: Path) -> None:
    source = random_llama.write_folder(random_llama.case("relu"), tmp_path / "source")
    folder = Path(flashlm.pack(source, tmp_path / "model.flash"))
    path = random_predictor.write(folder)
    content = path.read_bytes()
    assert content.count(b'"layers.1.a"') == 1
    path.write_bytes(content.replace(b'"layers.1.a"', b'"layers.1.`"'))
    with pytest.raises(
        flashlm.FormatError, match=r"checksum: .*predictor\.safetensors, the header"
    ):
        flashlm.LanguageModel.from_pretrained(folder, memory="100%")


def test_the_folder_opens_as_it_was(folder: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
        assert lm.generate("a", max_new_tokens=1) is not None


def manifest(folder: Path) -> dict[str, Any]:
    """What flashlm.json says."""
    result: dict[str, Any] = json.loads((folder / "flashlm.json").read_text())
    return result


def checked_bytes(folder: Path) -> dict[str, int]:
    """How many bytes from its start opening checks, by name of the file: all, or a weight file's header."""
    sizes = {
        file["name"]: file.get("header_bytes", file["bytes"]) for file in manifest(folder)["files"]
    }
    return {**sizes, "flashlm.json": (folder / "flashlm.json").stat().st_size}

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


@pytest.fixture(scope="module", params=["q8_0", "q4_0"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model whose matrices are blocks."""
    place = tmp_path_factory.mktemp("quantised")
    case = random_llama.Case("quantised", 7, hidden_dim=96, context=64)
    source = random_gguf.write(case, place / "model.gguf", request.param.upper())
    packed = flashlm.pack(source, place / "model.flash")
    assert {layer["dtype"] for layer in manifest(packed)["layers"]} == {request.param}
    return Path(packed)


@settings(max_examples=200)
@given(data=st.data())
def test_a_flipped_byte_of_a_quantised_folder_is_a_format_error(folder: Path, data: st.DataObject) -> None:
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


def test_the_folder_opens_as_it_was(folder: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
        assert lm.generate("a", max_new_tokens=1) is not None


def manifest(folder: Path) -> dict[str, Any]:
    """What flashlm.json says."""
    result: dict[str, Any] = json.loads((folder / "flashlm.json").read_text())
    return result


def checked_bytes(folder: Path) -> dict[str, int]:
    """How many bytes from its start opening checks, by name of the file: all, or a weight file's header."""
    sizes = {file["name"]: file.get("header_bytes", file["bytes"]) for file in manifest(folder)["files"]}
    return {**sizes, "flashlm.json": (folder / "flashlm.json").stat().st_size}

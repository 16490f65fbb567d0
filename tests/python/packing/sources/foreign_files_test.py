# SPDX-License-Identifier: Apache-2.0
"""What hubs, servers and archives leave in the place of a file is named, wherever a file is expected."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

import flashlm
import random_llama
import random_predictor
from flashlm import _core

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 2336927755350\n"
)
FOREIGN = {
    "a Git LFS pointer to a file of 2336927755350 bytes": POINTER,
    "a web page": b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n",
    'an error in JSON, \'{"error":"Access to model': b'{"error":"Access to model x/y is restricted. Log in."}',
    "a text, 'Entry not found'": b"Entry not found",
    "a gzip archive": gzip.compress(b"{}"),
    "a zip archive": b"PK\x03\x04" + bytes(30),
    "an empty file": b"",
    "zeros": bytes(4096),
}
WAYS_OUT = (
    "git lfs pull",
    "Download the file itself",
    "Unpack it",
    "cut short",
    "Download it again",
)


def refused(what: str, path: Path, error: pytest.ExceptionInfo[flashlm.FormatError]) -> None:
    """The message says what came, where, and the way out."""
    said = str(error.value)
    assert what in said
    assert str(path) in said
    assert any(way in said for way in WAYS_OUT), said


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "tokenizer.json",
        "generation_config.json",
        "tokenizer_config.json",
        "model.safetensors",
    ],
)
def test_it_is_named_in_a_hugging_face_folder(tmp_path: Path, name: str, what: str) -> None:
    source = random_llama.write_folder(random_llama.case("grouped"), tmp_path / "source")
    (source / name).write_bytes(FOREIGN[what])
    with pytest.raises(flashlm.FormatError) as error:
        flashlm.pack(source, tmp_path / "out.flash")
    refused(what, source / name, error)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize("what", FOREIGN)
def test_it_is_named_in_the_place_of_an_index_and_of_a_part(tmp_path: Path, what: str) -> None:
    source = random_llama.write_folder(random_llama.case("grouped"), tmp_path / "source", shards=2)
    for name in ("model-00002-of-00002.safetensors", "model.safetensors.index.json"):
        (source / name).write_bytes(FOREIGN[what])
        with pytest.raises(flashlm.FormatError) as error:
            flashlm.pack(source, tmp_path / "out.flash")
        refused(what, source / name, error)


@pytest.mark.parametrize("what", FOREIGN)
def test_it_is_named_in_the_place_of_a_gguf(tmp_path: Path, what: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(FOREIGN[what])
    with pytest.raises(flashlm.FormatError) as error:
        flashlm.pack(path, tmp_path / "out.flash")
    refused(what, path, error)


def test_a_file_of_a_folder_in_the_place_of_a_whole_model_says_to_pass_the_folder(
    tmp_path: Path,
) -> None:
    source = random_llama.write_folder(random_llama.case("grouped"), tmp_path / "source")
    (tmp_path / "model.gguf").write_bytes((source / "model.safetensors").read_bytes())
    with pytest.raises(
        flashlm.FormatError, match=r"a safetensors file .*Pass the folder that holds it"
    ):
        flashlm.pack(tmp_path / "model.gguf", tmp_path / "out.flash")


@pytest.mark.parametrize("name", ["merges.txt", "chat_template.jinja"])
def test_a_web_page_in_the_place_of_a_text_is_named(tmp_path: Path, name: str) -> None:
    source = random_llama.write_folder(random_llama.case("grouped"), tmp_path / "source")
    if name == "merges.txt":
        (source / "tokenizer.json").unlink()
        (source / "vocab.json").write_text("{}")
    (source / name).write_bytes(FOREIGN["a web page"])
    with pytest.raises(flashlm.FormatError, match=rf"got a web page .*{name}"):
        flashlm.pack(source, tmp_path / "out.flash")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed model with a predictor."""
    place = tmp_path_factory.mktemp("packed")
    source = random_llama.write_folder(random_llama.case("relu"), place / "source")
    folder = Path(flashlm.pack(source, place / "model.flash"))
    random_predictor.write(folder)
    return folder


@pytest.mark.parametrize("what", FOREIGN)
def test_it_is_named_in_every_file_of_a_packed_folder(
    packed: Path, tmp_path: Path, what: str
) -> None:
    if what.startswith(
        "an error in JSON"
    ):  # a file of a wrong size tells its own size, where it is JSON
        names = [path.name for path in packed.iterdir() if path.suffix == ".safetensors"]
    else:
        names = [path.name for path in packed.iterdir()]
    for name in names:
        folder = tmp_path / "model.flash"
        shutil.copytree(packed, folder)
        (folder / name).write_bytes(FOREIGN[what])
        with pytest.raises(flashlm.FormatError) as error:
            flashlm.LanguageModel.from_pretrained(folder, memory="100%")
        refused(what, folder / name, error)
        with pytest.raises(flashlm.FormatError):
            flashlm.verify(folder)
        shutil.rmtree(folder)


def test_it_is_named_in_the_place_of_a_saved_session(tiny: Path, tmp_path: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(tiny, memory="100%") as lm:
        for what in (
            "a web page",
            "an empty file",
            "a Git LFS pointer to a file of 2336927755350 bytes",
        ):
            (tmp_path / "talk.kv").write_bytes(FOREIGN[what])
            with pytest.raises(flashlm.FormatError) as error:
                lm.load_session(tmp_path / "talk.kv")
            refused(what, tmp_path / "talk.kv", error)


def test_only_known_kinds_can_be_asked_for() -> None:
    with pytest.raises(flashlm.ArgumentError, match="got 'pdf'"):
        _core.foreign_file(b"", "pdf")

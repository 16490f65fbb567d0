# SPDX-License-Identifier: Apache-2.0
"""Files whose names are no UTF-8, as old disks have them: used like others, and named by errors that can be read."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flashlm
from flashlm import _core
from flashlm.papers import pdf

NAME = os.fsdecode(b"caf\xe9")  # Latin-1


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder of such a name."""
    try:
        (tmp_path / NAME).mkdir()
    except OSError as error:
        pytest.skip(f"this system has no such file names: {error}")
    return tmp_path / NAME


@pytest.mark.parametrize(
    "use",
    [
        _core.Safetensors,
        _core.Tokenizer.open,
        _core.LanguageModel.open,
        _core.LanguageModel.plan,
        lambda path: _core.SafetensorsWriter(path / "new", []),
        flashlm.LanguageModel.from_pretrained,
        flashlm.probe,
        flashlm.verify,
        lambda path: flashlm.pack(path, path.with_name("packed.flash")),
    ],
)
def test_an_error_leads_back_to_the_file(place: Path, use: Callable[[Path], Any]) -> None:
    with pytest.raises(flashlm.IoError, match="caf") as caught:
        use(place / "missing")
    assert caught.value.errno == errno.ENOENT
    assert isinstance(caught.value.filename, str)
    assert os.fsencode(caught.value.filename).startswith(os.fsencode(place / "missing"))


def test_a_message_about_such_a_file_can_be_printed(place: Path) -> None:
    (place / "damaged").write_bytes(b"nonsense")
    with pytest.raises(flashlm.FormatError, match="caf\ufffd/damaged") as caught:
        _core.Safetensors(place / "damaged")
    str(caught.value).encode()


@pytest.mark.skipif(not pdf.available(), reason="flashlm was built without poppler")
def test_an_error_of_the_tools_leads_back_to_the_file(place: Path) -> None:
    module = importlib.import_module("flashlm._pdf")
    with pytest.raises(flashlm.IoError) as caught:
        module.read_pdf(place / "missing.pdf")
    assert caught.value.filename == str(place / "missing.pdf")
    assert "caf\ufffd/missing.pdf" in str(caught.value)


def test_a_probe_names_the_file(place: Path) -> None:
    (place / "file").write_bytes(bytes(1 << 20))
    probe = flashlm.probe(
        place / "file", seconds=0.05, depths=[1], chunk_bytes=[4096], page_cache=True
    )
    assert probe.path == probe.to_dict()["path"] == str(place / "file")
    assert "caf\ufffd/file" in str(probe)


def test_a_model_runs_there_and_a_warning_about_its_store_can_be_read(
    tiny: Path, place: Path
) -> None:
    folder = Path(shutil.copytree(tiny, place / "tiny.flash"))
    store = place / "store"
    with flashlm.LanguageModel.from_pretrained(folder, kv_store=store) as lm:
        expected = lm.generate("The moon " * 10, max_new_tokens=3)
    for block in [path for path in store.rglob("*") if path.is_file()]:
        block.write_bytes(block.read_bytes()[:-1])
    with (
        flashlm.LanguageModel.from_pretrained(folder, kv_store=store) as lm,
        pytest.warns(RuntimeWarning, match="caf\ufffd"),
    ):
        assert lm.generate("The moon " * 10, max_new_tokens=3) == expected

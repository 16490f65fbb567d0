# SPDX-License-Identifier: Apache-2.0
"""GGUFs that are split into parts, as models larger than DRAM are published."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from typer.testing import CliRunner

import flashlm
import random_gguf
import random_llama
from flashlm._cli.app import app

CASE = random_llama.case("grouped")


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """The case as three files or more, split by the `gguf` package."""
    whole = random_gguf.write(CASE, tmp_path / "whole.gguf")
    reader = gguf.GGUFReader(whole)
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama", split_max_tensors=8)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value, sub = (
            field.contents(),
            field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None,
        )
        writer.add_key_value(name, value, field.types[0], sub)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.array(tensor.data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    files = sorted(tmp_path.glob("model-*-of-*.gguf"))
    assert len(files) > 2
    return files


def logits(folder: Path) -> Any:
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%", threads=1) as lm:
        return lm.logits([5, 3, 17, 42])


def test_the_first_part_stands_for_all(parts: list[Path], tmp_path: Path) -> None:
    whole = flashlm.pack(tmp_path / "whole.gguf", tmp_path / "whole.flash")
    folder = flashlm.pack(parts[0], tmp_path / "parts.flash")
    assert np.array_equal(logits(folder), logits(whole))
    names = [
        file["name"]
        for file in json.loads((folder / "flashlm.json").read_text())["source"]["files"]
    ]
    assert names == [part.name for part in parts]


def test_info_reads_the_headers_of_all_parts(parts: list[Path], tmp_path: Path) -> None:
    told = [
        json.loads(CliRunner().invoke(app, ["info", str(source), "--json"]).stdout)
        for source in (parts[0], tmp_path / "whole.gguf")
    ]
    for name in ("family", "graph", "bytes_by_kind", "smallest"):
        assert told[0][name] == told[1][name]
    assert "part 2 of" in str(CliRunner().invoke(app, ["info", str(parts[1])]).exception)


def test_another_part_is_named_as_one_with_the_first_and_how_to_join(
    parts: list[Path], tmp_path: Path
) -> None:
    for number, part in enumerate(parts[1:], 2):
        with pytest.raises(flashlm.FormatError) as error:
            flashlm.pack(part, tmp_path / "out.flash")
        said = str(error.value)
        for words in (
            f"part {number} of {len(parts)} of a split file",
            parts[0].name,
            "llama-gguf-split --merge",
        ):
            assert words in said
        assert "architecture" not in said


def test_a_part_that_is_missing_or_of_another_split_is_named(
    parts: list[Path], tmp_path: Path
) -> None:
    parts[1].rename(tmp_path / "away.gguf")
    with pytest.raises(
        flashlm.FormatError, match=rf"part 1 of {len(parts)} .*: {parts[1].name} is missing"
    ):
        flashlm.pack(parts[0], tmp_path / "out.flash")
    shutil.copy(parts[2], parts[1])
    with pytest.raises(
        flashlm.FormatError,
        match=rf"expected part 2 of {len(parts)} .*, got another .*{parts[1].name}",
    ):
        flashlm.pack(parts[0], tmp_path / "out.flash")
    (tmp_path / "away.gguf").replace(parts[1])
    renamed = parts[0].rename(tmp_path / "first.gguf")
    with pytest.raises(
        flashlm.FormatError,
        match=r"part 1 of \d of a split file: expected a name that ends in -00001-of",
    ):
        flashlm.pack(renamed, tmp_path / "out.flash")


def test_a_part_that_only_its_name_tells_is_named(tmp_path: Path) -> None:
    path = tmp_path / "big-00002-of-00003.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.kv_data[0].clear()
    writer.add_tensor("blk.1.attn_q.weight", np.zeros((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(flashlm.FormatError, match=r"part 2 of 3 .*Pass big-00001-of-00003\.gguf"):
        flashlm.pack(path, tmp_path / "out.flash")


def test_a_part_that_is_an_lfs_pointer_is_named(parts: list[Path], tmp_path: Path) -> None:
    parts[2].write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n")
    with pytest.raises(
        flashlm.FormatError, match=rf"got a Git LFS pointer to a file of 12 bytes .*{parts[2].name}"
    ):
        flashlm.pack(parts[0], tmp_path / "out.flash")


@pytest.mark.parametrize(("key", "value"), [("split.no", 70000), ("split.count", 123456)])
def test_numbers_of_parts_that_make_no_sense_are_refused(
    tmp_path: Path, key: str, value: int
) -> None:
    path = random_gguf.write(
        CASE, tmp_path / "m.gguf", change=lambda writer, _: writer.add_uint32(key, value)
    )
    if key == "split.no":  # a number without a count is no part
        assert flashlm.pack(path, tmp_path / "out.flash").is_dir()
    else:
        with pytest.raises(
            flashlm.FormatError, match=r"split.count to be a number of five digits, got 123456"
        ):
            flashlm.pack(path, tmp_path / "out.flash")


def test_another_architecture_says_what_does_run(tmp_path: Path) -> None:
    path = random_gguf.write(CASE, tmp_path / "m.gguf", architecture="bloom")
    with pytest.raises(flashlm.FormatError) as error:
        flashlm.pack(path, tmp_path / "out.flash")
    for words in (
        "one that runs, got 'bloom'",
        "llama",
        "opt",
        "qwen3",
        "all but mistral and opt, as GGUF",
    ):
        assert words in str(error.value)

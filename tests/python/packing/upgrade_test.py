# SPDX-License-Identifier: Apache-2.0
"""Folders of format 2 (tests/golden/format2): a new flashlm.json, once, and everything else stays valid."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import flashlm
import random_llama
import random_opt
from flashlm import _core
from flashlm._cli.app import app
from flashlm.packing.upgrade import manifest_of, upgraded

GOLDEN = Path(__file__).parents[2] / "golden" / "format2"
NAMES = ("llama", "sparse", "opt")
EXPECTED: dict[str, Any] = json.loads((GOLDEN / "expected.json").read_text())


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a folder of format 2."""

    def copied(name: str) -> Path:
        return Path(shutil.copytree(GOLDEN / name, tmp_path / f"{name}.flash"))

    return copied


def version(folder: Path) -> int:
    return int(json.loads((folder / "flashlm.json").read_text())["format_version"])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.name != "flashlm.json"
    }


@pytest.mark.parametrize("name", NAMES)
def test_opening_writes_a_new_manifest_once_and_touches_nothing_else(
    name: str, copy: Callable[[str], Path]
) -> None:
    folder = copy(name)
    before = contents(folder)
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%", selector="dense") as lm:
        logits = lm.logits(EXPECTED[name]["tokens"])[-1]
        assert lm.config["family"] == name.replace("sparse", "llama")
    assert np.abs(logits - np.asarray(EXPECTED[name]["logits"], np.float32)).max() < 1e-4
    assert version(folder) == 4
    assert contents(folder) == before
    written = (folder / "flashlm.json").stat().st_mtime_ns
    assert upgraded(folder) == ""
    assert (folder / "flashlm.json").stat().st_mtime_ns == written
    assert _core.weights_fingerprint(folder) == EXPECTED[name]["weights"]
    flashlm.verify(folder)  # gates too


# A session belongs to one instruction set: the one that made those of the folder runs everywhere.
GO_ON = """
import json, sys
import numpy as np
import flashlm
folder, session, tokens = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
with flashlm.LanguageModel.from_pretrained(folder, memory="100%", selector="dense") as lm:
    logits = lm.logits(tokens)[-1]
    session = lm.load_session(session)
    kept = list(session.tokens)
    session._native.generate(kept + [5, 6], max_new_tokens=6)
    told = {"kept": kept, "continued": list(session.tokens), "reused": session.stats.reused_tokens}
    print(json.dumps({**told, "logits": [float(x) for x in logits], "prefill": session.stats.prefill_tokens}))
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_session_of_the_old_folder_goes_on_without_computing_it_again(
    name: str, copy: Callable[[str], Path]
) -> None:
    folder, expected = copy(name), EXPECTED[name]
    command = [
        sys.executable,
        "-c",
        GO_ON,
        str(folder),
        str(GOLDEN / f"{name}.kv"),
        json.dumps(expected["tokens"]),
    ]
    environment = {**os.environ, "FLASHLM_ISA": "scalar"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kept"] == expected["kept"]
    assert told["continued"] == expected["continued"]
    assert told["logits"] == expected["logits"]  # the same bits
    assert told["reused"] == len(expected["kept"])


@pytest.mark.parametrize("name", ["sparse", "opt"])
def test_packing_today_gives_the_same_files_of_weights(name: str, tmp_path: Path) -> None:
    size: dict[str, Any] = {"dim": 32, "n_layers": 1, "n_heads": 4, "hidden_dim": 40}
    case: Any = {
        "sparse": random_llama.Case(
            "sparse",
            72,
            **size,
            context=64,
            epsilon=1e-6,
            tied=True,
            activation="fatrelu",
            threshold=0.01,
        ),
        "opt": random_opt.OptCase("opt", 73, **size, context=32),
    }[name]
    write = random_opt.write_folder if name == "opt" else random_llama.write_folder
    folder = flashlm.pack(write(case, tmp_path / "source"), tmp_path / "new.flash", dtype="f16")
    for file in GOLDEN.joinpath(name).glob("*.safetensors"):
        if file.name != "gates.safetensors":
            assert (folder / file.name).read_bytes() == file.read_bytes(), file.name


def test_every_way_into_a_folder_upgrades_it(copy: Callable[[str], Path]) -> None:
    def used(use: Callable[[Path], object]) -> None:
        folder = copy("opt")
        use(folder)
        assert version(folder) == 4
        shutil.rmtree(folder)

    used(flashlm.verify)
    used(flashlm.add_gates)
    used(manifest_of)
    for command in (["info"], ["verify"], ["run", "-p", "the", "-n", "2", "--memory", "100%"]):
        folder = copy("opt")
        done = CliRunner().invoke(app, [command[0], str(folder), *command[1:]])
        assert done.exit_code == 0, done.output
        assert version(folder) == 4
        shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_to_opens_all_the_same(
    copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy("sparse")
    before = (folder / "flashlm.json").read_bytes()

    def refuse(path: str, _: str) -> None:
        raise PermissionError(
            13, "Permission denied", path
        )  # root may write anywhere, so the system cannot be asked

    monkeypatch.setattr(_core, "write_manifest", refuse)
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%", selector="gate") as lm:
        assert lm.generate("the", max_new_tokens=2) is not None
    flashlm.verify(folder)
    assert manifest_of(folder)["format_version"] == 4
    done = CliRunner().invoke(app, ["info", str(folder), "--memory", "100%", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["family"] == "llama"
    assert (folder / "flashlm.json").read_bytes() == before


def test_of_many_that_come_at_once_one_writes(
    copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy("llama")
    writes: list[str] = []
    write = _core.write_manifest

    def counted(path: str, text: str) -> None:
        writes.append(path)
        write(path, text)

    monkeypatch.setattr(_core, "write_manifest", counted)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: upgraded(folder), range(32))) == {""}
    assert len(writes) == 1
    assert not [path for path in folder.iterdir() if ".part" in path.name]


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("flashlm.json", b'"dtype": "f16"', b'"dtype": "f32"', r"checksum.*flashlm\.json"),
        ("config.json", b'"relu"', b'"gelu"', r"changed or damaged.*config\.json"),
        ("generation_config.json", b"100", b"101", r"changed or damaged.*generation_config\.json"),
        ("flashlm.json", b'"format_version": 2', b'"format_version": 1', "old version|checksum"),
        ("flashlm.json", b'"format_version": 2', b'"format_version": 5', "newer version|checksum"),
    ],
)
def test_a_damaged_folder_is_refused_and_stays_as_it_is(
    file: str, old: bytes, new: bytes, words: str, copy: Callable[[str], Path]
) -> None:
    folder = copy("opt")
    data = (folder / file).read_bytes()
    assert old in data
    (folder / file).write_bytes(data.replace(old, new))
    manifest = (folder / "flashlm.json").read_bytes()
    with pytest.raises(flashlm.FormatError, match=words):
        flashlm.LanguageModel.from_pretrained(folder)
    assert (folder / "flashlm.json").read_bytes() == manifest

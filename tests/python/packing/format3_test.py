# SPDX-License-Identifier: Apache-2.0
"""Folders of format 3 (tests/golden/format3), dense models in bundles: they run as they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import flashlm
import random_llama
from flashlm._cli.app import app
from flashlm.packing.upgrade import manifest_of, upgraded

GOLDEN = Path(__file__).parents[2] / "golden" / "format3"
EXPECTED: dict[str, Any] = json.loads((GOLDEN / "expected.json").read_text())
CASES = {"plain": (81, 40, "f16"), "blocks": (82, 64, "q4_0")}

# What was expected has the bits of the scalar kernels, which every machine has.
LOGITS = """
import json, sys
import flashlm
for memory in ("100%", "60%"):
    with flashlm.LanguageModel.from_pretrained(sys.argv[1], memory=memory) as lm:
        print(json.dumps([float(x) for x in lm.logits(json.loads(sys.argv[2]))[-1]]))
"""


def scalar_logits(folder: Path, tokens: list[int]) -> list[list[float]]:
    """The logits of the last token with two budgets."""
    command = [sys.executable, "-c", LOGITS, str(folder), json.dumps(tokens)]
    environment = {**os.environ, "FLASHLM_ISA": "scalar"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", CASES)
def test_an_old_folder_runs_as_it_is_and_a_new_one_of_the_same_model_has_its_bits(
    name: str, tmp_path: Path
) -> None:
    expected = EXPECTED[name]
    old = Path(shutil.copytree(GOLDEN / name, tmp_path / "old.flash"))
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    assert upgraded(old) == ""
    flashlm.verify(old)
    assert scalar_logits(old, expected["tokens"]) == [expected["logits"]] * 2
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before
    assert manifest_of(old)["format_version"] == 3
    seed, hidden_dim, dtype = CASES[name]
    case = random_llama.Case(
        name, seed, dim=32, hidden_dim=hidden_dim, n_heads=2, n_kv_heads=1, context=64
    )
    source = random_llama.write_folder(case, tmp_path / "source")
    new = flashlm.pack(source, tmp_path / "new.flash", dtype=dtype)
    assert manifest_of(new)["layers"] == []
    assert scalar_logits(new, expected["tokens"]) == [expected["logits"]] * 2


def test_an_old_folder_says_its_bundles_and_a_new_one_that_it_has_none(tmp_path: Path) -> None:
    def facts(folder: Path) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["info", str(folder), "--json"])
        assert done.exit_code == 0, done.output
        return dict(json.loads(done.stdout))

    old = facts(GOLDEN / "blocks")
    assert (old["neurons_per_bundle"], old["bundle_bytes"]) == (32, 2048)
    case = random_llama.Case("blocks", 82, dim=32, hidden_dim=64, n_heads=2, n_kv_heads=1)
    source = random_llama.write_folder(case, tmp_path / "source")
    new = facts(flashlm.pack(source, tmp_path / "new.flash", dtype="q4_0"))
    assert (new["neurons_per_bundle"], new["bundle_bytes"]) == (None, None)
    assert new["selector"] == "dense"
    assert new["bytes_by_kind"]["neurons"] < old["bytes_by_kind"]["neurons"]  # no padding
    for facts_of in (old, new):
        assert {facts_of["tensor_dtypes"][f"layers.1.{part}"] for part in ("gate", "down")} == {
            "q4_0"
        }

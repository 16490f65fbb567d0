# SPDX-License-Identifier: Apache-2.0
"""On every instruction set of this machine, every number format and selector.

The bits are the same however a model is run.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
import random_llama
import random_predictor

ISAS = ("scalar", "neon", "avx2", "avx512")
TEXT = "The moon is a harsh mistress, and the sea is calm tonight. " * 8
# Runs every model in three ways and keeps its logits; prints which of them differ.
PROGRAM = """
import json, sys
import numpy as np
import flashlm
runs, ids = json.loads(sys.argv[1]), json.loads(sys.argv[2])
ways = [
    {"memory": "100%", "threads": 1, "reader": "threads"},
    {"memory": "70%", "threads": 2, "policy": "lru"},
    {"memory": "85%", "threads": 3, "policy": "window", "window": 2, "reader": "threads"},
]
logits, differ = {}, []
for name, (folder, selector) in runs.items():
    for way in ways:
        if selector == "dense":  # which has nothing to choose
            way = {key: value for key, value in way.items() if key not in ("policy", "window")}
        with flashlm.LanguageModel.from_pretrained(folder, selector=selector, **way) as lm:
            whole = lm.logits(ids)
            lm.logits(ids[:5])
            if not np.array_equal(lm.logits(ids), whole):
                differ.append([name, "cut"])
        if name not in logits:
            logits[name] = whole
        elif whole.tobytes() != logits[name].tobytes():
            differ.append([name, way])
np.savez(sys.argv[3], **logits)
print(json.dumps(differ))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Name -> a packed model and a selector, for every number format and its selectors."""
    place = tmp_path_factory.mktemp("isa")
    result: dict[str, tuple[str, str]] = {}
    for activation in ("relu", "silu"):
        case = dataclasses.replace(random_llama.case("relu"), activation=activation)
        source = random_llama.write_folder(case, place / activation)
        for dtype in ("f32", "f16", "bf16", "q8_0", "q4_0"):
            folder = place / f"{activation}-{dtype}.flash"
            if dtype.startswith("q"):
                flashlm.pack(source, folder, dtype=dtype)
                selectors = ["dense"]
            else:
                flashlm.pack(source, folder, dtype=dtype, neurons_per_bundle=1)
                selectors = ["dense", "gate"] if activation == "relu" else ["threshold"]
                if activation == "silu":
                    flashlm.add_thresholds(folder, TEXT, sparsity=0.4, memory="100%")
                random_predictor.write(folder)
                selectors.append("predictor")
            result |= {
                f"{folder.stem}-{selector}": (str(folder), selector) for selector in selectors
            }
    return result


def test_bits_depend_on_the_instruction_set_alone(
    runs: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    ids = list(random_llama.case("relu").tokens)
    kept: dict[str, Any] = {}
    for isa in ISAS:
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            json.dumps(runs),
            json.dumps(ids),
            str(tmp_path / f"{isa}.npz"),
        ]
        environment = {**os.environ, "FLASHLM_ISA": isa}
        done = subprocess.run(
            command, env=environment, check=False, capture_output=True, text=True, timeout=1800
        )
        if done.returncode and "expected what this processor has" in done.stderr:
            continue
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [], isa
        kept[isa] = np.load(tmp_path / f"{isa}.npz")
        for dtype in ("f32", "f16", "bf16"):
            assert np.array_equal(
                kept[isa][f"relu-{dtype}-gate"], kept[isa][f"relu-{dtype}-dense"]
            ), isa
        for name in runs:
            if name.endswith(
                ("dense", "gate")
            ):  # what is beside a threshold may fall to either side
                np.testing.assert_allclose(
                    kept[isa][name], kept["scalar"][name], rtol=0, atol=1e-4, err_msg=isa
                )
    assert "scalar" in kept

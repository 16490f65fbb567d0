# SPDX-License-Identifier: Apache-2.0
"""The worked example of docs/format.md is what the writers write."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from flashlm import _core

PAGE = (
    (Path(__file__).resolve().parents[3] / "docs" / "format.md")
    .read_text()
    .partition("## A KV file")[0]
)


def test_the_worked_example_is_written_byte_by_byte(tmp_path: Path) -> None:
    """Bytes and manifest of the page equal those of the folder."""
    gate = np.array([[1 + n, 1.5 + n] for n in range(3)], dtype=np.float16)
    down = np.array([[10 * (n + 1), 10 * (n + 1) + 1] for n in range(3)], dtype=np.float16)
    weights = tmp_path / "neurons-00000.safetensors"
    writer = _core.BundleWriter(str(weights), 0, 3, 2, 2, True, "f16")
    writer.write(gate, -gate, down)
    file, layer = writer.finish()

    shown = re.findall(r"^([0-9a-f]{8}): ((?:[0-9a-f]{4} ?){8})", PAGE, re.MULTILINE)
    assert len(shown) == 12
    data = weights.read_bytes()
    expected = bytearray(b" " * 4096 + b"\0" * 1024)
    for offset, digits in shown:
        expected[int(offset, 16) : int(offset, 16) + 16] = bytes.fromhex(digits)
    assert data == expected

    config = tmp_path / "config.json"
    config.write_text("{}\n")
    manifest = {
        "format": "flashlm",
        "format_version": 4,
        "family": "llama",
        "graph": {"dim": 2},
        "tokens": {"bos": 1, "eos": [2, 7]},
        "dtype": "f16",
        "source": {"name": "example"},
        "files": [_core.file_record(str(config)), file],
        "layers": [layer],
    }
    _core.write_manifest(str(tmp_path), json.dumps(manifest))
    example = re.search(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert example is not None
    assert (tmp_path / "flashlm.json").read_text() == example.group(1)

# SPDX-License-Identifier: Apache-2.0
"""random_predictor.py: a predictor of random numbers for a packed folder.

It may choose anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import _core
from flashlm.packing.selector_file import write_selector_file


def write(folder: Path, *, threshold: float = 0.5, **metadata: str) -> Path:
    """Adds predictor.safetensors; `metadata` replaces entries of the right ones."""
    manifest = json.loads(_core.read_manifest(folder))
    random = np.random.default_rng(3)
    tensors: dict[str, Any] = {}
    for index, layer in enumerate(manifest["layers"]):
        tensors[f"layers.{index}.a"] = random.normal(size=(4, layer["dim"])).astype(np.float16)
        tensors[f"layers.{index}.b"] = random.normal(size=(layer["neurons"], 4)).astype(np.float16)
        tensors[f"layers.{index}.bias"] = np.zeros(layer["neurons"], np.float32)
        tensors[f"layers.{index}.threshold"] = np.array([threshold], np.float32)
    path = folder / "predictor.safetensors"
    path.unlink(missing_ok=True)
    write_selector_file(path, "predictor", _core.weights_fingerprint(folder), tensors, metadata)
    return path

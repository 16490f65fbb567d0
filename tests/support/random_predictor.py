# SPDX-License-Identifier: Apache-2.0
"""random_predictor.py: a predictor of random numbers for a packed folder, which may choose anything."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import _core


def write(folder: Path, *, threshold: float = 0.5, **metadata: str) -> Path:
    """Adds predictor.safetensors; `metadata` replaces entries of the right ones."""
    manifest = json.loads(_core.read_manifest(folder))
    lines = [f"{f['name']} {f['bytes']} {f['crc32']}\n" for f in manifest["files"] if "header_bytes" in f]
    model = hashlib.sha256("".join(lines).encode()).hexdigest()
    random = np.random.default_rng(3)
    tensors: dict[str, Any] = {}
    for index, layer in enumerate(manifest["layers"]):
        tensors[f"layers.{index}.a"] = random.normal(size=(4, layer["dim"])).astype(np.float16)
        tensors[f"layers.{index}.b"] = random.normal(size=(layer["neurons"], 4)).astype(np.float16)
        tensors[f"layers.{index}.bias"] = np.zeros(layer["neurons"], np.float32)
        tensors[f"layers.{index}.threshold"] = np.array([threshold], np.float32)
    path = folder / "predictor.safetensors"
    path.unlink(missing_ok=True)
    tags = {"float32": "f32", "float16": "f16"}
    specs = [(name, tags[value.dtype.name], list(value.shape)) for name, value in tensors.items()]
    writer = _core.SafetensorsWriter(
        str(path),
        [*specs, ("tensor_checksums", "u8", [len(specs), 4])],
        {"format": "flashlm predictor", "format_version": "1", "model": model, **metadata},
    )
    sums = []
    for name in writer.order()[:-1]:
        sums.append(_core.crc32(tensors[name].tobytes()))
        writer.write(name, tensors[name])
    writer.write("tensor_checksums", np.array(sums, "<u4").view(np.uint8).reshape(-1, 4))
    writer.finish()
    return path

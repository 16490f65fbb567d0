# SPDX-License-Identifier: Apache-2.0
"""selector_file.py: writes what a selector needs beside a packed model (docs/format.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flashlm import _core
from flashlm._engine.files import beside, sync_folder

_CHECKSUMS = "tensor_checksums"  # the last in the order of names
_TAGS = {"float32": "f32", "float16": "f16", "uint8": "u8"}


def write_selector_file(
    path: Path,
    kind: str,
    model: str,
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
    *,
    hollow: bool = False,
) -> None:
    """Writes the file, whole or not at all.

    Args:
        path: Where to.
        kind: What its tensors are: "predictor" or "thresholds".
        model: The `weights_fingerprint` of the model.
        tensors: By name, as f32, f16 or bytes.
        metadata: More entries, or others in the place of those above.
        hollow: With holes in the place of what the tensors hold: to plan with.
    """
    specs = [(name, _TAGS[value.dtype.name], list(value.shape)) for name, value in tensors.items()]
    entries = {
        "format": f"flashlm {kind}",
        "format_version": "2",
        "model": model,
        **(metadata or {}),
    }
    with beside(path) as new:
        writer = _core.SafetensorsWriter(
            str(new), [*specs, (_CHECKSUMS, "u8", [1 + len(specs), 4])], entries
        )
        sums = [writer.header_crc32()]
        for name in () if hollow else writer.order()[:-1]:
            data = tensors[name]
            sums.append(_core.crc32(data.tobytes()))
            writer.write(name, data)
        if not hollow:
            writer.write(_CHECKSUMS, np.array(sums, "<u4").view(np.uint8).reshape(-1, 4))
        writer.finish(hollow=hollow)
    sync_folder(path.parent)

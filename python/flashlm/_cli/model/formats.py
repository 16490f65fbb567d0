# SPDX-License-Identifier: Apache-2.0
"""formats.py: the number formats of a packed folder, tensor by tensor, and what packing lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from flashlm import _core

_ORDER = ("embedding", "positions", "q", "k", "v", "o", "gate", "up", "down", "head")


def tensor_dtypes(folder: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The number format of every tensor, by flashlm's names.

    Those of bundled neurons as ``layers.N.up`` and so on.
    """
    bundles = {layer["file"] for layer in manifest["layers"]}
    result = {}
    for record in manifest["files"]:
        if "header_bytes" not in record or record["name"] in bundles:
            continue
        file = _core.Safetensors(str(folder / record["name"]))
        told = file.metadata()
        for name in file.names():
            result[name] = told.get(f"dtype.{name}", file.dtype(name).lower())
    for number, layer in enumerate(manifest["layers"]):
        for part in ("gate", "up", "down") if layer["gated"] else ("up", "down"):
            result[f"layers.{number}.{part}"] = layer["dtype"]
    return result


def by_kind(dtypes: Mapping[str, str]) -> dict[str, str]:
    """Kind of matrix -> its formats, with counts where they differ.

    Vectors are always f32 and left out.
    """
    kinds: dict[str, Counter[str]] = {}
    for name, dtype in dtypes.items():
        kind = name.rpartition(".")[2]
        if "norm" not in kind and "bias" not in kind:
            kinds.setdefault(kind, Counter())[dtype] += 1
    order = [kind for kind in _ORDER if kind in kinds] + sorted(kinds.keys() - set(_ORDER))
    return {kind: _words(kinds[kind]) for kind in order}


def one_line(dtypes: Mapping[str, str]) -> str:
    """The same for a line: kinds of the same formats share an entry."""
    entries: dict[str, list[str]] = {}
    for kind, formats in by_kind(dtypes).items():
        entries.setdefault(formats, []).append(kind)
    if len(entries) == 1:
        return f"{next(iter(entries))}, norms f32"
    return "; ".join(f"{formats}: {', '.join(kinds)}" for formats, kinds in entries.items())


def rounding_table(dtypes: Mapping[str, str], errors: Mapping[str, float]) -> Table:
    """What rounding lost, by kind of tensor."""
    table = Table(title="Rounding error", title_justify="left", title_style="bold")
    table.add_column("tensors")
    table.add_column("packed as")
    table.add_column("relative RMS", justify="right")
    for kind, formats in by_kind(dtypes).items():
        table.add_row(kind, formats, f"{errors[kind]:.2e}" if kind in errors else "exact")
    return table


def _words(formats: Counter[str]) -> str:
    if len(formats) == 1:
        return next(iter(formats))
    return ", ".join(f"{dtype} ({count})" for dtype, count in formats.most_common())

# SPDX-License-Identifier: Apache-2.0
"""upgrade.py: a folder of format 2, which had no graph, gets a flashlm.json of today's format.

Nothing else of it changes.

The new file keeps, as `identity`, what saved sessions of the folder were made with, so that these
stay valid, as do the files of weights and of selectors.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import _core
from flashlm._core import FormatError
from flashlm._engine.files import io_error, parse_object, read_small
from flashlm.packing.graph import Attention, Graph
from flashlm.packing.options import FORMAT_VERSION
from flashlm.packing.tokenizers.tokens import Tokens

MANIFEST = "flashlm.json"
_OLD_VERSION = 2
_CHECKSUM = re.compile(rb'"checksum": "crc32:([0-9a-f]{8})"')
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def upgraded(folder: str | os.PathLike[str]) -> str:
    """Writes a new flashlm.json where the folder's is of format 2.

    Of several processes one writes. Where the folder cannot be written to, nothing is.

    Args:
        folder: A packed folder.

    Returns:
        The text of a flashlm.json to open the folder with, where that in it could not be written
        anew; else empty.

    Raises:
        FormatError: The old file or one that it names is damaged, or says what no family knows.
        IoError: A file cannot be read, or the new one not be written.
    """
    path = Path(folder) / MANIFEST
    data = read_small(path)
    if (
        b'"format_version": 2' not in data
    ):  # as every version has written it; whatever else it is, the engine says
        return ""
    try:
        with _locked(path):
            data = read_small(path)
            manifest = _old(data, path)
            if manifest is None:
                return ""
            new = _new(manifest, Path(folder))
            _core.write_manifest(str(folder), json.dumps(new))
            return ""
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise io_error("write", error, path) from error
    manifest = _old(data, path)
    return "" if manifest is None else _core.manifest_text(json.dumps(_new(manifest, Path(folder))))


def manifest_of(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of flashlm.json, after `upgraded`.

    Raises:
        FormatError: It is damaged.
        IoError: It cannot be read.
    """
    text = upgraded(folder)
    value: dict[str, Any] = json.loads(text or _core.read_manifest(str(folder)))
    return value


def bundles_of(manifest: Mapping[str, Any]) -> str:
    """How many neurons a bundle has, or "none", for messages."""
    layers = manifest["layers"]
    return str(layers[0]["neurons_per_bundle"]) if layers else "none"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock on the folder's flashlm.json.

    Whoever waited for it finds another in its place, and reads that.
    """
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _old(data: bytes, path: Path) -> dict[str, Any] | None:
    """The manifest, if it is of format 2 and whole."""
    manifest = parse_object(data, path)
    if (manifest.get("format"), manifest.get("format_version")) != ("flashlm", _OLD_VERSION):
        return None
    places = list(_CHECKSUM.finditer(data))
    if places:
        begin, end = places[-1].span(1)
        got = _core.crc32(data[:begin] + b"00000000" + data[end:])
        if got == int(data[begin:end], 16):
            return manifest
    raise FormatError(f"[manifest] checksum: the file was changed by hand or damaged ({path})")


def _new(manifest: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The same in today's format."""
    from flashlm.packing.sources.huggingface import graph_of_config

    config = parse_object(
        _checked(manifest, folder, "config.json") or b"{}", folder / "config.json"
    )
    generation = _checked(manifest, folder, "generation_config.json")
    ends = {} if generation is None else parse_object(generation, folder / "generation_config.json")
    family, graph = graph_of_config(config, folder / "config.json", strict=False)
    kept = {
        key: value for key, value in manifest.items() if key not in ("architecture", "checksum")
    }
    return {
        **kept,
        "format_version": FORMAT_VERSION,
        "family": family.name,
        "graph": graph.to_json(),
        "tokens": Tokens.read(config, ends, graph.vocab_size, folder).to_json(),
        "identity": _identity(manifest["architecture"], config, graph),
    }


def _checked(manifest: Mapping[str, Any], folder: Path, name: str) -> bytes | None:
    """A small file that the manifest lists, after its checksum is compared."""
    for record in manifest.get("files", ()):
        if record.get("name") == name:
            data = read_small(folder / name)
            if f"{_core.crc32(data):08x}" != record.get("crc32"):
                raise FormatError(
                    f"[manifest] content: the file was changed or damaged ({folder / name})"
                )
            return data
    return None


def _identity(architecture: str, config: Mapping[str, Any], graph: Graph) -> str:
    """What a fingerprint of a session held of the model in format 2, letter by letter.

    Numbers by their bits.
    """
    attention: Attention = graph.attention
    ffn, positions = graph.ffn, graph.embedding.positions
    sizes = (
        *(
            graph.dim,
            ffn.hidden,
            len(graph.layers),
            attention.heads,
            attention.kv_heads,
            attention.head_dim,
        ),
        *(graph.vocab_size, int(graph.head.tied), _bits(np.float32(graph.final_norm.epsilon))),
    )
    variant = (
        *(int(graph.final_norm.kind == "layer"), int(positions is not None)),
        *(
            positions.offset if positions is not None else 0,
            ffn.activation,
            _bits(np.float32(ffn.threshold or 0)),
        ),
        *(int(ffn.gated), int(attention.bias.q), int(ffn.bias.up)),
    )
    kind, numbers = _rope(config) if positions is None else ("default", _ROPE_DEFAULTS)
    return (
        f"{architecture} {' '.join(map(str, sizes))}\n"
        f"graph {' '.join(map(str, variant))}\n"
        f"rope {kind} {' '.join(str(_bits(number)) for number in numbers)}"
    )


# theta, factor, low_freq_factor, high_freq_factor, original_max_position_embeddings
_ROPE_DEFAULTS = (10000.0, 1.0, 1.0, 4.0, 0.0)


def _rope(config: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    theta, *others = _ROPE_DEFAULTS
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = next(
        each
        for each in (scaling.get("rope_theta"), config.get("rope_theta"), theta)
        if each is not None
    )
    kind = next(
        each
        for each in (scaling.get("rope_type"), scaling.get("type"), "default")
        if each is not None
    )
    keys = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    used = {"linear": 1, "llama3": len(keys)}.get(kind, 0)
    return kind, (theta, *(scaling[key] for key in keys[:used]), *others[used:])


def _bits(number: Any) -> int:
    """The 64 bits of a number as a double."""
    return int(struct.unpack("<Q", struct.pack("<d", float(number)))[0])

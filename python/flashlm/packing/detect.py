# SPDX-License-Identifier: Apache-2.0
"""detect.py: what a source is: a packed folder, a GGUF file, a Hugging Face folder or a hub id."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

from flashlm._core import ArgumentError, FormatError, IoError, Tokenizer, foreign_file
from flashlm._engine.files import io_error, read_object
from flashlm.packing.chat_format import NAME as CHAT_FORMAT
from flashlm.packing.chat_format import chat_format
from flashlm.packing.sources.source import Progress, Source

MANIFEST = "flashlm.json"


def is_packed(source: str | os.PathLike[str]) -> bool:
    """Whether `source` is a folder that flashlm has packed."""
    try:
        return (Path(source).expanduser() / MANIFEST).is_file()
    except OSError:  # a name that is too long, a folder that may not be read: `open_source` says so
        return False


def open_source(
    source: str | os.PathLike[str], progress: Progress | None = None, *, headers_only: bool = False
) -> Source:
    """Opens what is to be packed.

    Args:
        source: A GGUF file, a Hugging Face folder, or (as a string, where no such path exists) a
            hub id owner/name.
        progress: Told about a download.
        headers_only: Of a hub id, download no weights: the source can be looked at, and not be
            packed.

    Raises:
        FormatError: It is something else; the message says what and what to do.
        IoError: There is no such thing, or it cannot be read.
        ArgumentError: An empty string.
    """
    if not os.fspath(source):
        raise ArgumentError("[pack] source: expected a path or a hub id, got ''")
    opened = _open(source, progress, headers_only=headers_only)
    # What the engine could not open later is better said now.
    text = opened.small_files["tokenizer.json"].decode(errors="replace")
    tokenizer = Tokenizer.parse(text, f"{opened.name}, tokenizer.json")
    _check_tokenizer(opened, tokenizer)
    # The same holds for what the engine cannot run: Jinja.
    form = chat_format(opened.small_files, tokenizer)
    if form is None:
        return opened
    return dataclasses.replace(opened, small_files={**opened.small_files, CHAT_FORMAT: form})


def _check_tokenizer(opened: Source, tokenizer: Tokenizer) -> None:
    """Raises the FormatError that opening the packed folder would raise for its tokenizer."""
    place = Path(opened.name) if not opened.weight_files else opened.weight_files[0]
    place = place.parent if opened.kind == "huggingface" else place
    n_rows = opened.graph.vocab_size
    for token in tokenizer.encode(""):
        if token >= n_rows:
            raise FormatError(
                f"[pack] tokenizer: expected tokens around a text below {n_rows}, which is how "
                f"many rows the embedding "
                f"has, got {token} ({place / 'tokenizer.json'}, post_processor). No text could be "
                f"read."
            )


def headers_of(source: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What the headers of a file or folder say of a model, whether it runs or not.

    None where they cannot be read.

    Returns:
        ``architecture``; ``bytes`` of all tensors and ``parameters`` in them; ``tensor_types``, how
        many of each.
    """
    path = Path(source).expanduser()
    with contextlib.suppress(FormatError, OSError):
        if path.is_file():
            from flashlm.packing.formats.gguf_parts import read_parts

            header = read_parts(path)[0]
            architecture = header.metadata.get("general.architecture")
            tensors = [(each.kind, each.shape, each.n_bytes) for each in header.tensors.values()]
        elif (path / "config.json").is_file():
            from flashlm.packing.sources.huggingface import read_headers

            names = read_object(path / "config.json").get("architectures")
            architecture = ", ".join(map(str, names)) if isinstance(names, list) else None
            tensors = [
                (each.kind, each.shape, each.n_bytes)
                for header in read_headers(path)
                for each in header
            ]
        else:
            return None
        kinds = Counter(kind for kind, _, _ in tensors)
        return {
            "architecture": None if architecture is None else str(architecture),
            "bytes": sum(n_bytes for _, _, n_bytes in tensors),
            "parameters": sum(math.prod(shape) for _, shape, _ in tensors),
            "tensor_types": dict(sorted(kinds.items())),
        }
    return None


def _open(
    source: str | os.PathLike[str], progress: Progress | None, *, headers_only: bool
) -> Source:
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return _open_folder(path)
        if path.exists() and not path.is_file():  # a pipe would be waited for without end
            raise FormatError(
                f"[pack] source: expected a file or a folder, got something else ({path})."
            )
        if path.exists():
            return _open_file(path)
    except IoError:
        raise
    except OSError as error:
        raise io_error("read", error, path) from error
    from flashlm.packing.sources import hub

    if isinstance(source, str) and hub.is_hub_id(source):
        from flashlm.packing.sources.huggingface import open_huggingface

        if not headers_only:
            return open_huggingface(hub.fetch(source, progress), name=source)
        folder, remote = hub.headers(source, progress)
        return open_huggingface(folder, name=source, remote=remote)
    result = IoError(f"[pack] source: no such file or folder ({path}).{_neighbours(path)}")
    result.errno, result.filename = errno.ENOENT, str(path)
    raise result


def _open_folder(path: Path) -> Source:
    if (path / MANIFEST).is_file():
        raise FormatError(
            f"[pack] source: the folder is packed already ({path}). Open it as it is."
        )
    if (path / "config.json").is_file():
        from flashlm.packing.sources.huggingface import open_huggingface

        return open_huggingface(path)
    names = sorted(entry.name for entry in path.iterdir())
    models = [name for name in names if name.endswith(".gguf")]
    if models:
        hint = f"Pass one of its GGUF files: {', '.join(models[:5])}."
    elif names:
        hint = f"It holds: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}."  # noqa: PLR2004
    else:
        hint = "It is empty."
    raise FormatError(
        f"[pack] source: expected a folder with {MANIFEST} (packed) or config.json (Hugging Face) "
        f"({path}). {hint}"
    )


def _open_file(path: Path) -> Source:
    with path.open("rb") as file:
        begin = file.read(512)
    if begin.startswith(b"GGUF"):
        from flashlm.packing.sources.gguf import open_gguf

        return open_gguf(path)
    foreign = foreign_file(begin, "json" if path.suffix == ".json" else "gguf")
    hint = ""
    is_safetensors = path.suffix == ".safetensors" and (
        foreign is None or foreign[0] == "a safetensors file"
    )
    if path.suffix == ".json" or is_safetensors:
        what = (
            "one file of a model; "
            "pass the folder that holds it together with its config.json and tokenizer.json"
        )
    elif foreign is not None:
        what, hint = foreign
    else:
        what = f"of an unknown kind (it begins with {begin[:4]!r})"
    raise FormatError(
        f"[pack] source: expected a GGUF file, this is {what} ({path}). {hint}".rstrip()
    )


def _neighbours(path: Path) -> str:
    """A hint for a mistyped path."""
    if not path.parent.is_dir():
        return f" There is no folder {path.parent} either. A hub id has the form owner/name."
    import difflib

    near = difflib.get_close_matches(
        path.name, [entry.name for entry in path.parent.iterdir()], n=3
    )
    return f" Did you mean {' or '.join(str(path.parent / name) for name in near)}?" if near else ""

# SPDX-License-Identifier: Apache-2.0
"""Turns a model as it is published into a folder that runs from flash (docs/format.md)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from flashlm._engine.checked_calls import checked
from flashlm._engine.checks import new_path
from flashlm.packing.detect import open_source
from flashlm.packing.options import Options
from flashlm.packing.packed_folder import add_gates, verify
from flashlm.packing.sources.source import Progress
from flashlm.packing.writer import growth, write_folder

__all__ = ["add_gates", "pack", "verify"]


@checked("pack")
def pack(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    dtype: str = "source",
    neurons_per_bundle: int | str = "auto",
    progress: Progress | None = None,
    *,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Packs a model of the Llama or OPT architecture into a new folder.

    It needs memory for one layer. The folder appears when it is complete: until then it grows as
    ``FOLDER.partial``, which an error removes. An interruption (Ctrl-C, a killed process) leaves
    it, and the same call continues it.

    Args:
        source: A GGUF file, a Hugging Face folder with safetensors, or a hub id such as
            ``owner/name``.
        folder: Where to; must not exist.
        dtype: ``"source"`` keeps every matrix of a number format that flashlm has (``flashlm pack
            --help`` lists them) as it is and turns other types into f16; in bundles the three
            matrices of a feed-forward network get one format, that of all or else f16 (f32 if one
            is f32 or bf16). The name of a number format gives it to all matrices; where rows are not whole
            blocks, they become f16. With fewer bits than q8_0, embedding and head become q8_0
            unless the source has them in that format: rounding them costs most (llama.cpp too gives
            its head more bits, q6_K). Norms are always f32. What rounding loses is kept in the
            manifest, as ``rounding_error`` of its ``source``.
        neurons_per_bundle: Neurons that are read together. ``"auto"`` is 1 where the activation
            makes zeros (ReLU and its family) and numbers have no blocks, so that some can be left
            out; else there are no bundles, and matrices pass by whole, which is fastest. Formats of
            blocks allow no number.
        progress: Called as ``progress(stage, done, total)``, with ``"download"`` (steps) and
            ``"pack"`` (bytes).
        tell: Given a line before anything is written: how large the packed weights get, and why.

    Returns:
        The folder.

    Raises:
        FormatError: The source is broken, of another architecture, or holds something that the
            engine would ignore; the message names the file and the tensor or key.
        IoError: The source is not there or not readable, the folder exists, or the disk is full.
        ArgumentError: Another ``dtype`` or ``neurons_per_bundle``, or the two do not go together.

    Example:
        >>> flashlm.pack("tiny", "packed.flash", dtype="f16")
        PosixPath('packed.flash')
    """
    target = new_path(folder, "folder", where="pack")
    opened = open_source(source, progress)
    options = Options.resolve(opened, dtype, neurons_per_bundle)
    if tell is not None:
        tell(f"Packing {opened.name}: {growth(opened, options)}")
    return write_folder(opened, target, options, progress)

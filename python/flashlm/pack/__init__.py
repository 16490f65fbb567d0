# SPDX-License-Identifier: Apache-2.0
"""Turns a model as it is published into a folder that runs from flash (docs/format.md)."""

from __future__ import annotations

import os
from pathlib import Path

from flashlm.pack.detect import open_source
from flashlm.pack.source import Progress
from flashlm.pack.writer import Options, write_folder

__all__ = ["pack"]


def pack(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    dtype: str = "source",
    neurons_per_bundle: int | str = "auto",
    progress: Progress | None = None,
) -> Path:
    """Packs a model of the Llama or OPT architecture into a new folder.

    It needs memory for one layer. The folder appears when it is complete: until then it grows as ``FOLDER.partial``,
    which an error removes. An interruption (Ctrl-C, a killed process) leaves it, and the same call continues it.

    Args:
        source: A GGUF file, a Hugging Face folder with safetensors, or a hub id such as ``owner/name``.
        folder: Where to; must not exist.
        dtype: ``"source"`` keeps f32 and f16, turns bf16 into f32 (exactly) and quantised types into f16;
            ``"f16"`` rounds; ``"f32"`` is exact for every source. Norms are always f32. A folder has one format: f32 as
            soon as one matrix of the source needs it.
        neurons_per_bundle: Neurons that are read together; ``"auto"`` is 1 where the activation makes zeros (ReLU
            and its family), so that single neurons can be left out, else 32.
        progress: Called as ``progress(stage, done, total)``, with ``"download"`` (steps) and ``"pack"`` (bytes).

    Returns:
        The folder.

    Raises:
        FormatError: The source is broken, of another architecture, or holds something that the engine would ignore; the
            message names the file and the tensor or key.
        IoError: The source is not there or not readable, the folder exists, or the disk is full.
        ArgumentError: Another ``dtype`` or ``neurons_per_bundle``.

    Example:
        >>> flashlm.pack("tiny", "packed.flash", dtype="f16")
        PosixPath('packed.flash')
    """
    opened = open_source(source, progress)
    return write_folder(opened, Path(folder).expanduser(), Options.resolve(opened, dtype, neurons_per_bundle), progress)

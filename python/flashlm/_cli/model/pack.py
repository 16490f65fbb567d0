# SPDX-License-Identifier: Apache-2.0
"""pack.py: ``flashlm pack``: turns a model into a folder that runs from flash."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Literal

import typer

import flashlm
from flashlm import _core
from flashlm._cli.model import formats
from flashlm._cli.terminal import options, screen
from flashlm.packing.formats.dtypes import ROUNDED

NAME = "pack"
EXAMPLES = options.examples(
    "flashlm pack model.gguf packed.flash",
    "flashlm pack hf-folder packed-f16.flash --dtype f16 --json",
    "flashlm pack hf-folder packed-q8.flash --dtype q8_0",
)


def main(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A GGUF file, a Hugging Face folder, or a hub id such as owner/name.",
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to make; it must not exist yet.")
    ],
    *,
    dtype: Annotated[
        str,
        typer.Option(
            help=f"source keeps what it can; or {', '.join(ROUNDED)} "
            "(below 8 bits with embedding and head in q8_0).",
        ),
    ] = "source",
    neurons_per_bundle: Annotated[
        str, typer.Option(metavar="N", help="How many neurons are read together; auto decides.")
    ] = "auto",
    json: options.Json = False,
) -> None:
    """Packs a model into a folder that runs from flash.

    The folder appears only when it is complete.
    """
    bundle: int | Literal["auto"] = "auto"
    if neurons_per_bundle != "auto":
        try:
            bundle = int(neurons_per_bundle)
        except ValueError:
            raise typer.BadParameter(
                f"expected a number or auto, got {neurons_per_bundle!r}",
                param_hint="--neurons-per-bundle",
            ) from None
    tell = None if json else screen.tell
    with screen.progress_bar() as progress:
        packed = flashlm.pack(source, folder, dtype, bundle, progress, tell=tell)
    manifest = json_module.loads(_core.read_manifest(str(packed)))
    files, errors = manifest["files"], manifest["source"].get("rounding_error", {})
    size = sum(file["bytes"] for file in files)
    if json:
        told = {
            "folder": str(packed),
            "bytes": size,
            "files": len(files),
            "dtype": manifest["dtype"],
        }
        screen.print_json({**told, "rounding_error": errors})
        return
    if errors:
        screen.out.print(formats.rounding_table(formats.tensor_dtypes(packed, manifest), errors))
    screen.out.print(f"{packed}: {_core.format_bytes(size)} in {len(files)} files", markup=False)

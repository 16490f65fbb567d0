# SPDX-License-Identifier: Apache-2.0
"""verify.py: ``flashlm verify``: reads a packed folder to the last byte."""

from __future__ import annotations

from typing import Annotated

import typer

import flashlm
from flashlm._cli.terminal import options, screen

NAME = "verify"
EXAMPLES = options.examples("flashlm verify model.flash", "flashlm verify model.flash --json")


def main(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="A packed folder.")],
    *,
    json: options.Json = False,
) -> None:
    """Compares every file of a packed folder with its checksum. Exit code 1 if one differs."""
    size = 0
    with screen.progress_bar() as bar:

        def progress(done: int, total: int) -> None:
            nonlocal size
            size = total
            bar("verify", done, total)

        flashlm.verify(folder, progress=progress)
    if json:
        screen.print_json({"folder": folder, "ok": True, "bytes": size})
    else:
        screen.out.print(f"{folder}: every checksum is right", markup=False)

# SPDX-License-Identifier: Apache-2.0
"""The stubs of flashlm._core say what the module holds. Run as a program (scripts/stubs), it prints fresh ones."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

STUBS = Path(__file__).resolve().parent.parent.parent / "python" / "flashlm" / "_core.pyi"
HEAD = "# SPDX-License-Identifier: Apache-2.0\n# Written by scripts/stubs from the extension.\n"


def fresh_stubs() -> str:
    """Stubs of the installed extension, formatted."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pybind11_stubgen", "flashlm._core", "--exit-code", "-o", folder]
        subprocess.run(command, check=True, capture_output=True)
        text = HEAD + (Path(folder) / "flashlm" / "_core.pyi").read_text()
    formatter = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(STUBS), "-"]
    return subprocess.run(formatter, input=text, capture_output=True, text=True, check=True).stdout


def test_the_stubs_are_those_of_the_module() -> None:
    """Whoever changes a binding runs scripts/stubs."""
    assert STUBS.read_text() == fresh_stubs()


if __name__ == "__main__":
    print(fresh_stubs(), end="")

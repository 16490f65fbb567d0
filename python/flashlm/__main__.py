# SPDX-License-Identifier: Apache-2.0
"""`python -m flashlm`: where the C++ side is, or else the command line.

    cmake -S . -B build -Dflashlm_DIR=$(python -m flashlm --cmake-dir)
    g++ -std=c++20 -I$(python -m flashlm --include-dir) program.cpp
"""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def main() -> None:
    """Prints one folder, or runs the command line with the remaining arguments."""
    arguments = sys.argv[1:]
    if arguments == ["--cmake-dir"]:
        print(PACKAGE / "cmake")
    elif arguments == ["--include-dir"]:
        print(PACKAGE / "include")
    else:
        from flashlm.cli import main as run_command_line  # slow to import: only when needed

        run_command_line()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""`python -m flashlm`: where the C++ side is, or else the command line.

::

    cmake -S . -B build -Dflashlm_DIR=$(python -m flashlm --cmake-dir)
    g++ -std=c++20 -O2 $(python -m flashlm --includes) program.cpp
"""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
INCLUDE = PACKAGE / "include"
CMAKE = PACKAGE / "cmake"


def main() -> None:
    """Prints a folder or a compiler's options, or runs the command line with the arguments."""
    arguments = sys.argv[1:]
    if arguments == ["--cmake-dir"]:
        print(CMAKE)
    elif arguments == ["--include-dir"]:
        print(INCLUDE)
    elif arguments == ["--includes"]:
        libraries = [CMAKE / "third_party" / name for name in ("eigen3", "nlohmann_json")]
        print(f"-I{INCLUDE}", *(f"-isystem {folder}" for folder in libraries))
    else:
        from flashlm._cli import main as run_command_line  # slow, and not always needed

        run_command_line()


if __name__ == "__main__":
    main()

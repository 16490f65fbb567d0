# SPDX-License-Identifier: Apache-2.0
"""session_load.py: a saved session of 8,000 tokens, loaded, beside a plain read of its file.

    cmake --preset release && cmake --build build/release --target session_load_benchmark
    python benchmarks/session_load.py            # SmolLM2-135M-Instruct, fetched if need be

Runs benchmarks/session_load.cpp, which compares before it times, and writes the result file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from flashlm import demo, home

sys.path.insert(0, str(Path(__file__).parent))
from machine import write_result

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "session_load.json"
PROGRAM = ROOT / "build" / "release" / "benchmarks" / "session_load_benchmark"


def main() -> None:
    """Run the benchmark and write its result file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--program", type=Path, default=PROGRAM)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    folder = home.packed(demo.fetch_gguf())
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:  # on the model's disk
        options = ["--rounds", str(arguments.rounds), "--threads", str(arguments.threads)]
        done = subprocess.run(
            [arguments.program, folder, scratch, *options],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    result = json.loads(done.stdout)
    write_result(
        arguments.output,
        folder,
        result["rows"],
        model=folder.name,
        **{"direct I/O": result["direct"]},
    )
    for entry in result["rows"]:
        print(
            f"{entry['metric']:>32} {entry['median']:.4g} [{entry['min']:.4g}, {entry['max']:.4g}]"
        )


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""neuron_reads.py: the reads of a layer's missing neurons, beside a bare loop of the same reads.

    cmake --preset release && cmake --build build/release --target neuron_reads_benchmark
    python benchmarks/neuron_reads.py --folder /where/models/are

Runs benchmarks/neuron_reads.cpp, which compares bytes before it times, and writes the result file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from flashlm import home

sys.path.insert(0, str(Path(__file__).parent))
from machine import write_result

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "neuron_reads.json"
PROGRAM = ROOT / "build" / "release" / "benchmarks" / "neuron_reads_benchmark"
NOTE = (
    "Layers of the shape of OPT-6.7B in f16; misses at random, as many as a token of the ladder's "
    "rows has in a layer. "
    "Both sides read the same; each comes second, to a warmer host, in half of the rounds; shares "
    "are of two rounds."
)


def main() -> None:
    """Run the benchmark and write its result file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--program", type=Path, default=PROGRAM)
    parser.add_argument(
        "--folder", type=Path, help="on the disk to be measured; default: where models are packed"
    )
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--reader", default="auto", choices=("auto", "threads", "uring"))
    parser.add_argument(
        "--depth", type=int, help="reads at the device at once; default: the reader's"
    )
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    folder = arguments.folder or home.home()
    folder.mkdir(parents=True, exist_ok=True)
    options = [
        "--layers",
        arguments.layers,
        "--rounds",
        arguments.rounds,
        "--reader",
        arguments.reader,
    ]
    if arguments.depth:
        options += ["--depth", arguments.depth]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [arguments.program, scratch, *map(str, options)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout)
    facts = {
        "direct I/O": result["direct"],
        "reader": result["reader"],
        "bare_depth": result["bare_depth"],
    }
    write_result(
        arguments.output, folder, result["rows"], note=NOTE, layers=arguments.layers, **facts
    )
    for entry in result["rows"]:
        spread = f"{entry['median']:.4g} [{entry['min']:.4g}, {entry['max']:.4g}]"
        print(f"{entry['case']:>12} {entry['metric']:>36} {spread} {entry['unit']}")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""kernels.py: the kernels of every instruction set beside a plain read of the same bytes.

    cmake --preset release && cmake --build build/release --target kernels_benchmark && python
    benchmarks/kernels.py

Runs benchmarks/kernels.cpp, which compares with plain loops before it times, once for each
instruction set that this machine has, and writes the result file. With --llama-python, a Python
that has llama-cpp-python, llama.cpp's products with a vector are measured after each of them, and
stand beside ours as `peer`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from machine import spread, write_result

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "kernels.json"


def rows_of(program: Path, isa: str, *arguments: str) -> list[dict[str, Any]]:
    """The rows of one run, their cases named by instruction set; none where the processor has it not."""
    environment = {**os.environ, "FLASHLM_ISA": isa}
    result = subprocess.run(
        [program, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode != 0:
        print(f"{isa}: skipped, exit code {result.returncode}", file=sys.stderr)
        return []
    return [{**row, "case": f"{isa}: {row['case']}"} for row in json.loads(result.stdout)["rows"]]


def peers_of(python: str, *arguments: str) -> list[dict[str, Any]]:
    """What llama.cpp reaches now: a case, whether its blocks are reordered, and a rate for each round."""
    command = [python, str(Path(__file__).parent / "kernels_llama.py"), *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return [json.loads(line) for line in result.stdout.splitlines()]


def with_peers(rows: list[dict[str, Any]], measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, with llama.cpp's rates over all runs as rows and, of its orders of a format the faster, as `peer`."""
    values: dict[tuple[str, bool], list[float]] = {}
    for each in measured:
        values.setdefault((each["case"], each["reordered"]), []).extend(each["values"])
    result = []
    for row in rows:
        theirs = [
            spread(rates)
            for (case, _), rates in values.items()
            if row["case"].endswith(f": {case}") and rates
        ]
        is_rate = row["metric"] == "weights"
        result.append(
            {**row, "peer": max(theirs, key=lambda peer: peer["median"])}
            if theirs and is_rate
            else row
        )
    for (case, reordered), rates in values.items():
        name = f"llama.cpp{', reordered' * reordered}: {case}"
        entry = {"case": name, "metric": "weights", "unit": "GB/s", **spread(rates)}
        result.append({**entry, "floor": None, "peer": None})
    return result


def main() -> None:
    """Run the benchmark and write its result file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--program",
        type=Path,
        default=ROOT / "build" / "release" / "benchmarks" / "kernels_benchmark",
    )
    parser.add_argument("--isa", nargs="+", default=["avx512", "avx2", "neon"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--llama-python", help="a Python that has llama-cpp-python")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    options = ["--rounds", str(arguments.rounds), "--threads", str(arguments.threads)]
    rows, theirs = [], []
    for isa in arguments.isa:
        rows += rows_of(arguments.program, isa, *options)
        if arguments.llama_python:
            theirs += peers_of(arguments.llama_python, *options)
    if not rows:
        sys.exit("No instruction set gave a result.")
    write_result(arguments.output, ROOT, with_peers(rows, theirs), threads=arguments.threads)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""readme_table.py: copies the figures of results/budgets.json into the README's table.

python benchmarks/readme_table.py            # rewrites the README
python benchmarks/readme_table.py --check    # exit code 1 if it is not what the result file says
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
RESULT = HERE / "results" / "budgets.json"
BEGIN, END = "<!-- budgets -->\n", "<!-- /budgets -->"


def table(result: dict[str, Any]) -> str:
    """The table and the sentence that says where it comes from."""
    figures = {(row["case"], row["metric"]): row for row in result["rows"]}
    shares = list(dict.fromkeys(row["case"] for row in result["rows"] if row["metric"] == "seconds_per_token"))
    lines = [
        "| weights in DRAM | time per token | floor | bytes read per token | neurons in DRAM |",
        "|---|---|---|---|---|",
    ]
    for share in shares:
        time = figures[share, "seconds_per_token"]
        size = figures[share, "bytes_per_token"]["median"]
        hits = figures[share, "hit_rate"]["median"]
        lines.append(
            f"| {share} | {1000 * time['median']:.1f} ms ({1000 * time['min']:.1f} to {1000 * time['max']:.1f}) "
            f"| {1000 * time['floor']:.1f} ms | {size / 1e6:.0f} MB | {100 * hits:.0f} % |"
        )
    disk, dram = (row for row in result["rows"] if row["metric"] == "bytes_per_second")
    machine = result["machine"]
    return (
        "\n".join(lines) + "\n\n"
        f"From [{RESULT.name}](benchmarks/results/{RESULT.name}), made by [budgets.py](benchmarks/budgets.py): "
        f"SmolLM2-135M-Instruct as f16,\n{result['weights_bytes'] / 1e6:.0f} MB, {result['threads']} threads on "
        f"{machine['cpu']} ({machine['isa']}). Decode; median and range of interleaved rounds; the texts are compared\n"
        "first. The floor is what a plain loop, reading the same bytes from disk (at best "
        f"{disk['max'] / 1e9:.1f} GB/s) or from DRAM (at best {dram['max'] / 1e9:.0f} GB/s)\nbetween the rounds, "
        "would take.\n"
    )


def main() -> None:
    """Rewrite the README, or compare."""
    before = README.read_text()
    made = table(json.loads(RESULT.read_text()))
    after = re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: BEGIN + made + END, before, flags=re.DOTALL)
    if "--check" in sys.argv[1:]:
        sys.exit(before != after and f"README.md is not what {RESULT.name} says: run benchmarks/readme_table.py")
    README.write_text(after)


if __name__ == "__main__":
    main()

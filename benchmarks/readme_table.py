# SPDX-License-Identifier: Apache-2.0
"""readme_table.py: copies figures of ladder.json and peers.json into the README's tables.

python benchmarks/readme_table.py            # rewrites the README
python benchmarks/readme_table.py --check    # exit code 1 if it is not what the result files say
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
RESULTS = HERE / "results"

LADDER = {
    "resident": "everything in DRAM, no limit",
    "everything from flash": "everything from flash",
    "half resident": "half of it in DRAM",
    "+ predictor": "+ a predictor selects 10 % of the neurons",
    "+ window": "+ a window of recent tokens",
    "+ bundles": "+ bundles",
    "+ bundles, the paper's cache": "the same, with the cache that the paper describes",
    "best policy": "the default policy and window",
    "llama.cpp resident": "*llama.cpp, everything in DRAM*",
    "llama.cpp capped": "*llama.cpp, the same limit*",
}
MEMORIES = {"resident": "all", "cap 75 %": "75 %", "cap 50 %": "50 %", "cap 25 %": "25 %"}
DTYPES = ("f16", "q8_0", "q4_0")

SOURCE = """
From [{name}.json](benchmarks/results/{name}.json) ([picture](benchmarks/results/{name}.png)), made
by [{name}.py](benchmarks/{name}.py).
"""

Figures = dict[tuple[str, str], dict[str, Any]]


def figures(name: str) -> Figures:
    """The rows of a result file by case and metric."""
    return {
        (row["case"], row["metric"]): row
        for row in json.loads((RESULTS / name).read_text())["rows"]
    }


def milliseconds(row: dict[str, Any]) -> str:
    """Median and range."""
    return f"{1000 * row['median']:.0f} ms ({1000 * row['min']:.0f} to {1000 * row['max']:.0f})"


def ladder() -> str:
    """The paper's table 2."""
    found = figures("ladder.json")
    lines = [
        (
            "| OPT-6.7B shape, f16, 55 % of its size in DRAM | time per token | floor | read per token "
            "| found in DRAM |"
        ),
        "|---|---|---|---|---|",
    ]
    for case, words in LADDER.items():
        time, size = found[case, "seconds_per_token"], found[case, "bytes_per_token"]["median"]
        hits = found.get((case, "hit_rate"))
        share = f"{100 * hits['median']:.0f} %" if hits else ""
        lines.append(
            f"| {words} | {milliseconds(time)} | {1000 * time['floor']:.0f} ms | {size / 1e6:.0f} "
            f"MB | {share} |"
        )
    return "\n".join(lines) + "\n"


def peers() -> str:
    """Dense weights, beside llama.cpp."""
    found = figures("peers.json")
    lines = [
        "| Llama-2-7B shape | memory | flashlm | floor | read | llama.cpp | read |",
        "|---|---|---|---|---|---|---|",
    ]
    for dtype in DTYPES:
        for memory, words in MEMORIES.items():
            case = f"llama-2-7b {dtype} {memory}, decode"
            if (case, "seconds_per_token") not in found:
                continue
            time, size = found[case, "seconds_per_token"], found[case, "bytes_per_token"]
            floor = 1000 * time["floor"]
            theirs = size["peer"]["median"] if size["peer"] else 0
            lines.append(
                f"| {dtype} | {words} | {milliseconds(time)} | {floor:.0f} ms | "
                f"{size['median'] / 1e9:.1f} GB "
                f"| {milliseconds(time['peer'])} | {theirs / 1e9:.1f} GB |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Rewrite the README, or compare."""
    before = after = README.read_text()
    for name, table in {"ladder": ladder(), "peers": peers()}.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        text = begin + table + SOURCE.format(name=name) + end
        after = re.sub(
            f"{re.escape(begin)}.*?{re.escape(end)}",
            lambda _, text=text: text,
            after,
            flags=re.DOTALL,
        )
    if "--check" in sys.argv[1:]:
        sys.exit(
            before != after
            and "README.md is not what the result files say: run benchmarks/readme_table.py"
        )
    README.write_text(after)


if __name__ == "__main__":
    main()

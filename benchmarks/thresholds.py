# SPDX-License-Identifier: Apache-2.0
"""thresholds.py: what calibrated thresholds cost a SwiGLU model in perplexity. Quality only: nothing is timed.

python benchmarks/thresholds.py                # SmolLM2-135M-Instruct in f16, fetched if need be
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import flashlm
from flashlm import demo

sys.path.insert(0, str(Path(__file__).parent))
from machine import write_result

TEXT = Path(__file__).parent.parent / "tests" / "models" / "tiny_opt" / "heldout.txt"
RESULT = Path(__file__).parent / "results" / "thresholds.json"


def main() -> None:
    """Run the benchmark and write its result file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a GGUF file, a Hugging Face folder or a hub id")
    parser.add_argument("--text", type=Path, default=TEXT)
    parser.add_argument(
        "--characters", type=int, default=24000, help="of the end of the text; half calibrates"
    )
    parser.add_argument("--lossy", nargs="+", type=float, default=[0.3, 0.4, 0.5])
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()

    text = arguments.text.read_text(encoding="utf-8")[-arguments.characters :]
    source = Path(arguments.model or demo.fetch_gguf())
    with tempfile.TemporaryDirectory() as folder:
        packed = flashlm.pack(
            source, Path(folder) / "model.flash", neurons_per_bundle=1, dtype="f16"
        )
        result = flashlm.add_thresholds(
            packed, text, sparsity=arguments.lossy[0], compare=arguments.lossy[1:], memory="100%"
        )
        rows = [
            {
                "case": "dense",
                "metric": "perplexity",
                "unit": "1",
                "value": result["dense_perplexity"],
            }
        ]
        rows += [
            {
                "case": f"{one['sparsity']:.0%} left out",
                "metric": "perplexity",
                "unit": "1",
                "value": one["perplexity"],
            }
            for one in result["compared"]
        ]
        write_result(
            arguments.output,
            packed,
            rows,
            model=source.name,
            dtype="f16",
            text=f"the last {arguments.characters} characters of {arguments.text.name}",
            note="lossy: thresholds are calibrated on the first half of the text, perplexity is of the second",
        )
    for row in rows:
        change = 100 * (row["value"] / result["dense_perplexity"] - 1)
        print(f"{row['case']:>14} {row['value']:8.3f} {change:+7.2f} %")


if __name__ == "__main__":
    main()

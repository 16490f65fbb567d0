# SPDX-License-Identifier: Apache-2.0
"""predictors.py: perplexity of the small trained ReLU model with predictors, by what they have to find.

    python benchmarks/predictors.py                # needs the extra `train`

Quality only: nothing is timed. Predictors learn from calibration.txt; perplexity is of heldout.txt,
which neither they nor the model has seen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import flashlm

sys.path.insert(0, str(Path(__file__).parent))
from machine import write_result

MODEL = Path(__file__).parent.parent / "tests" / "models" / "tiny_opt"
RESULT = Path(__file__).parent / "results" / "predictors.json"


def perplexity(folder: Path, selector: str, text: str) -> float:
    """Of the held-out text."""
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%", selector=selector) as model:
        return model.perplexity(text)


def main() -> None:
    """Run the benchmark and write its result file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recall", nargs="+", type=float, default=[0.99, 0.95, 0.9])
    parser.add_argument("--tokens", type=int, default=16384)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()

    text = (MODEL / "heldout.txt").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as parent:
        folder = flashlm.pack(MODEL, Path(parent) / "tiny_opt.flash", neurons_per_bundle=1)
        dense = perplexity(folder, "dense", text)
        cases: list[tuple[str, float, list[dict[str, Any]]]] = [
            ("dense", dense, []),
            ("gate", perplexity(folder, "gate", text), []),
        ]
        for recall in arguments.recall:
            report = flashlm.train(
                folder,
                MODEL / "calibration.txt",
                recall=recall,
                tokens=arguments.tokens,
                epochs=arguments.epochs,
                threads=arguments.threads,
                perplexity=False,
            )
            layers = [layer.to_dict() for layer in report.layers]
            cases.append(
                (
                    f"predictor, {recall:.0%} of the mass",
                    perplexity(folder, "predictor", text),
                    layers,
                )
            )
            print(report, file=sys.stderr)
        for case, value, layers in cases:
            row = {
                "case": case,
                "metric": "perplexity",
                "unit": "1",
                "value": value,
                "of_dense": value / dense,
            }
            rows.append({**row, "layers": layers} if layers else row)
            print(f"{case:>28} {value:8.3f} {100 * (value / dense - 1):+7.2f} %")
        write_result(
            arguments.output,
            folder,
            rows,
            model="tests/models/tiny_opt",
            text="heldout.txt",
            note="natural sparsity of a trained model; predictors learn from calibration.txt; "
            "the figures of layers are of a part of it that they have not learned from",
        )


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""perplexity.py: what fewer bits a weight cost: the perplexity of one model in each number format, and its size.

    python benchmarks/perplexity.py                     # SmolLM2-135M-Instruct, fetched if need be
    python benchmarks/perplexity.py --model x.gguf --formats f16 q8_0

The texts are those of tests/golden/texts. For SmolLM2 the peer is transformers with the same
weights, in float32. The source of SmolLM2 is Q4_1 with a Q8_0 embedding: f16 and more bits are
that, and q8_0 and q4_0 round it once more.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import flashlm
from flashlm import _core, demo

sys.path.insert(0, str(Path(__file__).parent))
from machine import spread, write_result

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "perplexity.json"
GOLDEN = ROOT / "tests" / "golden"
TEXTS = ("english", "code", "scripts")
FORMATS = ("f32", "f16", "bf16", "q8_0", "q4_0")


def peers(is_demo: bool) -> dict[tuple[str, str], float]:
    """(format, text) -> what transformers computes, where the golden file has it."""
    if not is_demo:
        return {}
    texts = json.loads((GOLDEN / "smollm2_135m.json").read_text())["texts"]
    result = {("f32", name): texts[name]["perplexity"] for name in TEXTS}
    return result | {
        (each, name): texts[name][f"perplexity_{each}"]
        for each in ("q8_0", "q4_0")
        for name in TEXTS
    }


def row(
    case: str, metric: str, unit: str, value: float, peer: float | None = None
) -> dict[str, Any]:
    """A row of the result file; nothing here is a time, so once is enough."""
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        **spread([value]),
        "floor": None,
        "peer": peer,
    }


def main() -> None:
    """Run the benchmark and write its result file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a GGUF file, a Hugging Face folder or a hub id")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()

    source = arguments.model or demo.fetch_gguf()
    known = peers(arguments.model is None)
    texts = {name: (GOLDEN / "texts" / f"{name}.txt").read_bytes().decode() for name in TEXTS}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        for dtype in arguments.formats:
            folder = flashlm.pack(source, Path(place) / f"{dtype}.flash", dtype=dtype)
            manifest = json.loads(_core.read_manifest(folder))
            with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
                rows += [
                    row(
                        f"{dtype}, {name}",
                        "perplexity",
                        "1",
                        lm.perplexity(text),
                        known.get((dtype, name)),
                    )
                    for name, text in texts.items()
                ]
                rows.append(row(dtype, "weights", "B", lm.memory_plan.weights))
            errors = manifest["source"].get("rounding_error", {})
            rows += [
                row(f"{dtype}, {kind}", "relative_rms", "1", error)
                for kind, error in errors.items()
            ]
        write_result(
            arguments.output,
            folder,
            rows,
            model=manifest["source"]["name"],
            texts={name: len(text) for name, text in texts.items()},
            note="lower is better; whole texts in one window; relative_rms is the rounding error of packing",
        )
    for one in rows:
        peer = "" if one["peer"] is None else f"   transformers {one['peer']:.5g}"
        print(f"{one['case']:>18} {one['metric']:>14} {one['median']:.6g}{peer}")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""budgets.py: one model at several memory budgets: time a token, bytes a token, hit rate, beside the floors.

    python benchmarks/budgets.py                     # SmolLM2-135M-Instruct, fetched if need be
    python benchmarks/budgets.py --model x.flash --rounds 9

The texts are compared before anything is timed. Rounds are interleaved: every budget, then the floors, then again.
Weights are read around the page cache, so "cold" and "warm" are the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import flashlm
from flashlm import demo, home

sys.path.insert(0, str(Path(__file__).parent))
from machine import memory_bytes_per_second, read_seconds, spread, write_result

PROMPT = "Once upon a time, in a village by the sea, there lived"
RESULT = Path(__file__).parent / "results" / "budgets.json"


def measure(model: flashlm.LanguageModel, tokens: int) -> dict[str, float]:
    """Decode `tokens` in a session of their own; the figures of that session alone."""
    session = model.session()
    session.generate(PROMPT, max_new_tokens=tokens)
    figures = session.stats.to_dict()
    if figures["tokens"] < tokens // 2:
        sys.exit(f"The text ended after {figures['tokens']} tokens: too few to time. Use another prompt.")
    return {**figures, "wait_seconds_per_token": figures["io_seconds"] / (figures["tokens"] + 1)}


def rows_of(
    share: str, model: flashlm.LanguageModel, runs: list[dict[str, float]], disk: list[float], dram: list[float]
) -> list[dict[str, Any]]:
    """The rows of one budget. No program beats the slower of disk and DRAM, nor waits less than their difference."""
    plan = model.memory_plan
    streamed = plan.streamed
    disk_rate, dram_rate = max(disk), max(dram)
    floors = {
        "seconds_per_token": max(streamed / disk_rate, plan.weights / dram_rate),
        "bytes_per_token": float(streamed),
        "hit_rate": plan.neurons["pinned"] / plan.neurons["bytes"],
        "wait_seconds_per_token": max(0.0, streamed / disk_rate - plan.weights / dram_rate),
    }
    units = {"seconds_per_token": "s", "bytes_per_token": "B", "hit_rate": "1", "wait_seconds_per_token": "s"}
    return [
        {
            "case": share,
            "metric": metric,
            "unit": units[metric],
            **spread([run[metric] for run in runs]),
            "floor": floors[metric],
            "peer": None,
        }
        for metric in units
    ]


def main() -> None:
    """Run the benchmark and write its result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a packed folder, a GGUF file, a Hugging Face folder or a hub id")
    parser.add_argument("--memory", nargs="+", default=["50%", "75%", "100%"])
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()

    folder = home.packed(arguments.model or demo.fetch_gguf())
    models = {
        share: flashlm.LanguageModel.from_pretrained(folder, memory=share, context=512, threads=arguments.threads)
        for share in arguments.memory
    }
    texts = {share: model.generate(PROMPT, max_new_tokens=arguments.tokens) for share, model in models.items()}
    if len(set(texts.values())) != 1:
        sys.exit(f"The budgets disagree, so no time is worth anything: {texts}")

    runs: dict[str, list[dict[str, float]]] = {share: [] for share in models}
    disk: list[float] = []
    dram: list[float] = []
    read_memory = memory_bytes_per_second(arguments.threads)
    files = sorted(folder.glob("neurons-*.safetensors"))
    for number in range(arguments.rounds):
        for share, model in models.items():
            runs[share].append(measure(model, arguments.tokens))
        seconds, size = read_seconds(files, threads=8)
        disk.append(size / seconds)
        dram.append(read_memory())
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)

    rows = [row for share, model in models.items() for row in rows_of(share, model, runs[share], disk, dram)]
    rows += [
        {"case": case, "metric": "bytes_per_second", "unit": "B/s", **spread(rates), "floor": None, "peer": None}
        for case, rates in (("disk, direct, 1 MiB reads, 8 threads", disk), ("DRAM, plain read", dram))
    ]
    plan = next(iter(models.values())).memory_plan
    write_result(
        arguments.output,
        folder,
        rows,
        model=folder.name,
        weights_bytes=plan.weights,
        threads=arguments.threads,
        tokens=arguments.tokens,
        note="decode only, weights read around the page cache; "
        "floor = max(streamed bytes / best disk rate, weights / best DRAM rate) of this run",
    )
    for row in rows:
        floor = "" if row["floor"] is None else f"   floor {row['floor']:.4g}"
        print(f"{row['case']:>38} {row['metric']:>18} {row['median']:.4g} [{row['min']:.4g}, {row['max']:.4g}]{floor}")


if __name__ == "__main__":
    main()

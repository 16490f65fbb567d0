# SPDX-License-Identifier: Apache-2.0
"""agents.py: what an agent's next step costs, and what holding an answer to a schema costs.

    python benchmarks/agents.py            # SmolLM2-135M-Instruct, fetched if need be

Cases: the time to the first token of a prompt of 2,000 + 32 tokens, cold and when a session holds
the 2,000; the bytes that the 32 tokens read at half the memory; a saved session of 8,000 tokens
read back; tool calls held to 20 schemas. What is reused is compared with what is computed fresh,
bit for bit, before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jsonschema

from flashlm import _core, demo, home

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "python"))
from machine import read_seconds, spread, write_result
from structured_output_test import tool_schemas

RESULT = Path(__file__).parent / "results" / "agents.json"
TEXT = "The moon has no light of its own; what we see is sunlight, reflected by grey dust and old stone. "


def row(
    case: str, metric: str, unit: str, values: list[float], floor: float | None = None
) -> dict[str, Any]:
    """A row of the result file."""
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        **spread(values),
        "floor": floor,
        "peer": None,
    }


def first_token_seconds(session: _core.Session, ids: list[int]) -> tuple[float, list[int]]:
    """Seconds from the prompt to its first token, and that token."""
    start = time.perf_counter()
    generation = session.stream(ids, max_new_tokens=1)
    for _ in generation:
        pass
    return time.perf_counter() - start, generation.tokens


def next_step(folder: Path, ids: list[int], rounds: int, threads: int) -> list[dict[str, Any]]:
    """A prompt whose first 2,000 tokens the session holds, against the same prompt computed fresh."""
    model = _core.LanguageModel.open(folder, memory="100%", context=4096, threads=threads)
    prompt = ids[:2032]
    cold, warm = [], []
    for number in range(rounds):
        fresh, known = model.session(), model.session()
        first_token_seconds(known, prompt[:2000])
        prompt[-32:] = ids[2000 + number : 2032 + number]
        seconds, expected = first_token_seconds(fresh, prompt)
        cold.append(seconds)
        seconds, got = first_token_seconds(known, prompt)
        warm.append(seconds)
        if got != expected:
            sys.exit(f"The next step disagrees with a fresh one: {got} and {expected}")
    half = _core.LanguageModel.open(folder, memory="50%", context=4096, threads=threads)
    session = half.session()
    first_token_seconds(session, prompt[:2000])
    before = session.stats.bytes_read
    first_token_seconds(session, prompt)
    plan = half.memory_plan
    passes = (session.stats.bytes_read - before) / plan.streamed
    return [
        row("first token, 2,032 tokens, cold", "seconds", "s", cold),
        row("first token, 2,000 of 2,032 tokens held", "seconds", "s", warm),
        row("the same", "share of cold", "1", [w / c for w, c in zip(warm, cold, strict=True)]),
        row(
            "32 tokens behind 2,000, at 50%", "passes over the streamed weights", "1", [passes], 1.0
        ),
    ]


def saved_session(folder: Path, ids: list[int], rounds: int, threads: int) -> list[dict[str, Any]]:
    """A session of 8,000 tokens, saved and read back; the memory of the new session is part of the time."""
    model = _core.LanguageModel.open(folder, memory="100%", context=8192, threads=threads)
    session = model.session()
    _, expected = first_token_seconds(session, ids[:8000])
    loads, floors = [], []
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        path = Path(scratch) / "session.kv"
        session.save(path)
        for _ in range(rounds):
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)
            start = time.perf_counter()
            loaded = model.load_session(path)
            loads.append(time.perf_counter() - start)
            floors.append(read_seconds([path])[0])
            if first_token_seconds(loaded, ids[:8000])[1] != expected:
                sys.exit("The loaded session disagrees with the saved one.")
        size = path.stat().st_size
    return [
        row("session of 8,000 tokens, saved", "bytes", "B", [size]),
        row("the same, loaded into a new session", "seconds", "s", loads, min(floors)),
    ]


def tool_calls(folder: Path, threads: int) -> list[dict[str, Any]]:
    """200 calls over 20 schemas: how many are valid, and the time a token takes beside the model's own."""
    model = _core.LanguageModel.open(folder, memory="100%", context=512, threads=threads)

    def beside(session: _core.Session, prompt: str, **options: Any) -> tuple[str, float, float]:
        start = time.perf_counter()
        text = session.generate(prompt, **options)
        stats = session.stats
        model_seconds = stats.prefill_seconds + stats.decode_seconds
        tokens = max(1, len(session.tokens) - len(model.tokenizer.encode(prompt)))
        return text, (time.perf_counter() - start - model_seconds) / tokens, stats.seconds_per_token

    valid, held, free, step = 0, [], [], []
    for schema in tool_schemas():
        grammar = _core.Grammar.from_json_schema(json.dumps(schema))
        prompt = f"Call this tool to find papers on memory: {json.dumps(schema)}\n"
        for seed in range(10):
            text, seconds, _ = beside(
                model.session(),
                prompt,
                grammar=grammar,
                max_new_tokens=64,
                temperature=0.2 * seed,
                seed=seed,
            )
            held.append(seconds)
            jsonschema.Draft202012Validator(schema).validate(json.loads(text))
            valid += 1
        _, seconds, token = beside(model.session(), prompt, max_new_tokens=64)
        free.append(seconds)
        step.append(token)
    return [
        row("200 tool calls over 20 schemas", "valid", "1", [valid], 200),
        row("held to a schema", "seconds a token beside the model's own", "s", held),
        row("free", "seconds a token beside the model's own", "s", free),
        row("free", "seconds_per_token", "s", step),
    ]


def main() -> None:
    """Run the benchmark and write its result file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    folder = home.packed(demo.fetch_gguf())
    tokenizer = _core.LanguageModel.open(folder, context=64).tokenizer
    ids = tokenizer.encode(" ".join(f"{number}. {TEXT}" for number in range(400)))
    rows = next_step(folder, ids, arguments.rounds, arguments.threads)
    rows += saved_session(folder, ids, arguments.rounds, arguments.threads)
    rows += tool_calls(folder, arguments.threads)
    write_result(arguments.output, folder, rows, model=folder.name, threads=arguments.threads)
    for entry in rows:
        print(
            f"{entry['case']:>44} {entry['metric']:>40} {entry['median']:.4g} [{entry['min']:.4g}, "
            f"{entry['max']:.4g}]"
        )


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""ladder_row.py: one measured process of ladder.py: a planted text, token by token, with one row's way to read.

Takes one JSON object as its argument, prints a JSON object after every token, so that a process
that is stopped still leaves what it had measured.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from peer_process import counters, peak_bytes, per, say

from flashlm import _core

COUNTED = ("bytes_read", "gap_bytes", "reads", "hits", "misses", "selected", "evictions")
TIMED = ("decode_seconds", "io_seconds", "memory_seconds", "select_seconds", "compute_seconds")


def decode(model: _core.LanguageModel, job: dict[str, Any]) -> None:
    """The text that the job gives, the first token as a prompt; the logits of the first steps go to a file."""
    first, *ids = job["ids"]
    model.generate([first], max_new_tokens=1)
    before, at = model.stats.to_dict(), counters()
    logits: list[Any] = []
    seconds: list[float] = []
    for number, token in enumerate(ids[: job["n_warm"] + job["n"]], 1):
        start = time.perf_counter()
        values = model.step(token)
        took = time.perf_counter() - start
        if number <= job["n_compared"]:
            logits.append(np.array(values, np.float32))
        if number == job["n_compared"]:
            text = np.stack(logits)
            text.tofile(job["logits"])
            say(
                "compare", sha256=hashlib.sha256(text.tobytes()).hexdigest(), shape=list(text.shape)
            )
        if number <= job["n_warm"]:
            before, at = model.stats.to_dict(), counters()
            continue
        seconds.append(took)
        n, after = len(seconds), model.stats.to_dict()
        figures = {name: (after[name] - before[name]) / n for name in (*COUNTED, *TIMED)}
        device = per(at, n)
        device = {name: device[name] for name in ("read_bytes", "major_faults", "cpu_seconds")}
        state = {name: after[name] for name in ("window", "governor")}
        say("decode", n=n, token_seconds=seconds, **figures, **state, device=device)


def main() -> None:
    """Open, decode, and say what was held."""
    job = json.loads(sys.argv[1])
    start = time.perf_counter()
    model = _core.LanguageModel.open(job["model"], **job["options"])
    say(
        "open",
        seconds=time.perf_counter() - start,
        plan=model.memory_plan.to_dict(),
        isa=_core.isa(),
    )
    decode(model, job)
    say("end", peak_bytes=peak_bytes())


if __name__ == "__main__":
    main()

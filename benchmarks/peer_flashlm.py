# SPDX-License-Identifier: Apache-2.0
"""peer_flashlm.py: one measured process of peers.py: flashlm, on a packed folder, step by step.

Takes one JSON object as its argument, prints one JSON object for each step, so that a process that
is killed still leaves what it had measured. `peer_llama.py` does the same with llama.cpp.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from peer_process import counters, each_timed, peak_bytes, per, say

from flashlm import _core

COUNTED = ("io_seconds", "compute_seconds", "read_seconds", "bytes_read")


def decode(model: _core.LanguageModel, ids: list[int], n_warm: int, n: int) -> dict[str, Any]:
    """Decodes `n` tokens after some that are not counted."""
    model.generate(ids[:4], max_new_tokens=1)
    for token in ids[4 : 4 + n_warm]:
        model.step(token)
    before = model.stats.to_dict()
    took = each_timed(model.step, ids[4 + n_warm : 4 + n_warm + n])
    after = model.stats.to_dict()
    figures = {name: (after[name] - before[name]) / n for name in COUNTED if name in after}
    return {**took, **figures}


def prefill(model: _core.LanguageModel, ids: list[int]) -> dict[str, Any]:
    """Reads a prompt that shares nothing with what was there; figures per token."""
    model.generate([ids[-1]], max_new_tokens=1)
    at = counters()
    model.generate(ids, max_new_tokens=1)
    return {"n": len(ids), **per(at, len(ids))}


def main() -> None:
    """Run the steps."""
    if sys.argv[1:] == ["--floor"]:
        say("floor", peak_bytes=peak_bytes())
        return
    job = json.loads(sys.argv[1])
    start = time.perf_counter()
    model = _core.LanguageModel.open(
        job["model"], memory=str(job["memory"]), context=job["context"], threads=job["threads"]
    )
    say(
        "open",
        seconds=time.perf_counter() - start,
        plan=model.memory_plan.to_dict(),
        isa=_core.isa(),
    )
    for step, *arguments in job["steps"]:
        if step == "compare":
            ids, path = arguments
            np.asarray(model.logits(ids), np.float32).tofile(path)
            say("compare")
        elif step == "decode":
            say("decode", **decode(model, job["ids"], *arguments))
        else:
            say(f"prefill {arguments[0]}", **prefill(model, job["ids"][: arguments[0]]))
    say("end", peak_bytes=peak_bytes(), stats=model.stats.to_dict())


if __name__ == "__main__":
    main()

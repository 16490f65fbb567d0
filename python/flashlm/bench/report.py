# SPDX-License-Identifier: Apache-2.0
"""report.py: runs a synthetic model, and says how near its floors it came."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import _core, home
from flashlm._core import ArgumentError
from flashlm.bench.floors import disk_bytes_per_second, memory_bytes_per_second
from flashlm.bench.synthetic import synthesize, synthetic_source
from flashlm.choices import check_memory
from flashlm.pack.detect import is_packed
from flashlm.pack.source import Progress, Source

NOTE = "Random weights: the text is meaningless; bytes, times and memory are those of a real model of this shape."
_DRAM_READS = 3
_LEAST_CONTEXT = 512


@dataclass(frozen=True)
class Report:
    """What a synthetic model took, beside what no program can beat. Printable with `flashlm bench`."""

    shape: str
    dtype: str
    memory: str
    context: int
    prompt_tokens: int
    stats: dict[str, Any]
    memory_plan: dict[str, Any]
    disk_rates: list[float]  # bytes per second, before and after
    disk_is_direct: bool
    dram_rates: list[float]
    bytes_per_token_from_dram: int
    token_ids: list[int]

    @property
    def disk_floor(self) -> float:
        """Seconds a token that reading its bytes takes at the fastest rate the disk showed in this run."""
        return float(self.stats["bytes_per_token"]) / max(self.disk_rates)

    @property
    def dram_floor(self) -> float:
        """Seconds a token that reading all weights takes at the fastest rate DRAM showed in this run."""
        return self.bytes_per_token_from_dram / max(self.dram_rates)

    def to_dict(self) -> dict[str, Any]:
        """Everything by name, as JSON can hold it; the names of `stats` stand at the top."""
        return {
            "shape": self.shape,
            "dtype": self.dtype,
            "memory": self.memory,
            "context": self.context,
            "prompt_tokens": self.prompt_tokens,
            **self.stats,
            "predicted_seconds_per_token": None,
            "floors": {
                "disk_seconds_per_token": self.disk_floor,
                "dram_seconds_per_token": self.dram_floor,
                "disk_bytes_per_second": _spread(self.disk_rates),
                "disk_is_direct": self.disk_is_direct,
                "dram_bytes_per_second": _spread(self.dram_rates),
            },
            "memory_plan": self.memory_plan,
            "token_ids": self.token_ids,
            "note": NOTE,
        }


def run(
    shape: str | os.PathLike[str],
    *,
    dtype: str = "f16",
    memory: str | int = "50%",
    tokens: int = 16,
    prompt: int = 32,
    context: int | None = None,
    threads: int | None = None,
    reader: str = "auto",
    seed: int = 0,
    keep: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Makes a model of random weights, reads a prompt of random tokens, decodes, and measures the floors around it.

    Args:
        shape: A name in `flashlm.shapes.SHAPES`, or the path of a config.json.
        dtype: ``"f32"``, ``"f16"``, ``"bf16"``, ``"q8_0"`` or ``"q4_0"``.
        memory: As for `LanguageModel.from_pretrained`.
        tokens: How many to decode.
        prompt: How many to read before.
        context: How many fit; by default what is needed, 512 at least.
        threads: How many compute; by default one per core.
        reader: How flash is read.
        seed: Other weights and another prompt for another seed.
        keep: Where the model is written and stays; one that is there already is used. By default it is removed.
        progress: Told how far it is.

    Returns:
        The figures.

    Raises:
        ArgumentError: An argument out of range, or a kept model that is another one.
        BudgetError: It cannot run in ``memory``.
        IoError: The disk is full.

    Example:
        >>> report = flashlm.bench.run("tiny/config.json", dtype="f32", tokens=2, prompt=4)
        >>> report.to_dict()["tokens"]
        2
    """
    if tokens < 1 or prompt < 1:
        raise ArgumentError(f"[bench] tokens, prompt: expected at least 1, got {tokens} and {prompt}")
    source = synthetic_source(shape, dtype, seed)
    longest = int(json.loads(source.small_files["config.json"])["max_position_embeddings"])
    n_context = context or min(longest, max(_LEAST_CONTEXT, prompt + tokens + 1))
    with ExitStack() as stack:
        if keep is None:
            home.home().mkdir(parents=True, exist_ok=True)
            parent = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=home.home())))
            folder = parent / "model.flash"
        else:
            folder = Path(keep).expanduser()
        if is_packed(folder):
            _check_same(folder, source, dtype)
        else:
            synthesize(shape, folder, dtype=dtype, seed=seed, progress=progress)
        probe_file = max(folder.glob("neurons-*.safetensors"), key=lambda file: file.stat().st_size)
        read_memory = memory_bytes_per_second(threads or os.cpu_count() or 1)
        dram = [read_memory() for _ in range(_DRAM_READS)]
        disk, direct = disk_bytes_per_second(probe_file, reader)
        model = _core.LanguageModel.open(
            folder,
            memory=check_memory(memory),
            context=n_context,
            threads=threads,
            reader=reader,
            on_progress=None if progress is None else lambda done, total: progress("load", done, total),
        )
        session = model.session()
        ids = np.random.default_rng(seed).integers(0, source.config.vocab_size, prompt).tolist()
        generation = session.stream(ids, max_new_tokens=tokens + 1)  # the first comes with the prompt
        for number, _ in enumerate(generation):
            if progress is not None:
                progress("decode", min(number + 1, tokens), tokens)
        disk_after, _ = disk_bytes_per_second(probe_file, reader)
        dram += [read_memory() for _ in range(_DRAM_READS)]
        embedding = source.weights["embedding"]
        untied = 0 if source.config.tied else embedding.n_rows * embedding.row_bytes
        return Report(
            shape=source.name.split(",", maxsplit=1)[0],
            dtype=dtype,
            memory=str(memory),
            context=n_context,
            prompt_tokens=prompt,
            stats=session.stats.to_dict(),
            memory_plan=model.memory_plan.to_dict(),
            disk_rates=[disk, disk_after],
            disk_is_direct=direct,
            dram_rates=dram,
            bytes_per_token_from_dram=model.memory_plan.weights - untied,
            token_ids=generation.tokens,
        )


def _check_same(folder: Path, source: Source, dtype: str) -> None:
    """Raises ArgumentError if a kept folder holds another model."""
    manifest = json.loads(_core.read_manifest(folder))
    if manifest["source"] != source.describe():
        raise ArgumentError(
            f"[bench] keep: expected {source.name} as {dtype}, got {manifest['source'].get('name')} as "
            f"{manifest['dtype']} ({folder}). Remove it or choose another name."
        )


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}

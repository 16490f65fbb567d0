# SPDX-License-Identifier: Apache-2.0
"""report.py: runs a synthetic model, and says how near its floors it came."""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import _core, home
from flashlm._core import ArgumentError
from flashlm._engine import checks
from flashlm._engine.checked_calls import checked
from flashlm._engine.checks import MOST_32_BITS, MOST_64_BITS
from flashlm._engine.files import io_error, scratch_folder
from flashlm._engine.opening_options import READERS, check_memory, check_opening, check_whole
from flashlm.bench.floors import disk_bytes_per_second, memory_bytes_per_second
from flashlm.bench.planted import aggregated_windows, plant_predictor, planted_source, planted_text
from flashlm.bench.synthetic import synthetic_source
from flashlm.packing.detect import is_packed
from flashlm.packing.options import Options
from flashlm.packing.sources.source import Progress, Source
from flashlm.packing.upgrade import manifest_of
from flashlm.packing.writer import write_folder
from flashlm.training._store import FILE as PREDICTOR_FILE

NOTE = (
    "Random weights: the text is meaningless; "
    "bytes, times and memory are those of a real model of this shape."
)
PLANTED_NOTE = "Planted are the statistics of firing; measured are bytes, time and memory."
SELECTORS = ("dense", "predictor", "gate")
GATES_FILE = "gates.safetensors"
_WARM_TOKENS = 16  # decoded before counting begins, where the neurons of the last tokens matter
_DRAM_READS = 3
_LEAST_CONTEXT = 512
# Of `stats`, what belongs to the prompt, or is a state and no count.
_NOT_OF_DECODING = {
    "prefill_tokens",
    "prefill_seconds",
    "reused_tokens",
    "peak_bytes",
    "window",
    "governor",
}


@dataclass(frozen=True)
class Report:
    """What a synthetic model took, beside what no program can beat.

    Printable with `flashlm bench`.
    """

    shape: str
    dtype: str
    memory: str
    selector: str
    context: int
    prompt_tokens: int
    stats: dict[str, Any]
    memory_plan: dict[str, Any]
    disk_rates: list[float]  # bytes per second, before and after
    disk_is_direct: bool
    dram_rates: list[float]
    bytes_per_token_from_dram: int
    planted: dict[str, Any] | None = None

    @property
    def disk_floor(self) -> float:
        """Seconds a token that reading its bytes takes at the disk's fastest rate in this run."""
        return float(self.stats["bytes_per_token"]) / max(self.disk_rates)

    @property
    def dram_floor(self) -> float:
        """Seconds a token that reading all weights takes at DRAM's fastest rate in this run."""
        return self.bytes_per_token_from_dram / max(self.dram_rates)

    @property
    def disk_is_floor(self) -> bool:
        """Whether the run was not faster than `disk_floor`.

        If it was, the disk gave less when measured alone.
        """
        return self.disk_floor <= float(self.stats["seconds_per_token"])

    @property
    def dram_is_floor(self) -> bool:
        """The same of `dram_floor`.

        Small models stay in the caches of the processor, which are faster than DRAM.
        """
        return self.dram_floor <= float(self.stats["seconds_per_token"])

    def to_dict(self) -> dict[str, Any]:
        """Everything by name, as JSON can hold it; the names of `stats` stand at the top."""
        return {
            "shape": self.shape,
            "dtype": self.dtype,
            "memory": self.memory,
            "selector": self.selector,
            "context": self.context,
            "prompt_tokens": self.prompt_tokens,
            **self.stats,
            "predicted_seconds_per_token": None,
            "floors": {
                "disk_seconds_per_token": self.disk_floor,
                "disk_is_floor": self.disk_is_floor,
                "dram_seconds_per_token": self.dram_floor,
                "dram_is_floor": self.dram_is_floor,
                "disk_bytes_per_second": _spread(self.disk_rates),
                "disk_is_direct": self.disk_is_direct,
                "dram_bytes_per_second": _spread(self.dram_rates),
            },
            "memory_plan": self.memory_plan,
            "planted": self.planted,
            "note": NOTE if self.planted is None else f"{NOTE} {PLANTED_NOTE}",
        }


@checked("bench")
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
    selector: str = "dense",
    policy: str = "auto",
    window: int | None = None,
    bundled: bool = True,
    planted: bool | None = None,
    seed: int = 0,
    keep: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Runs a model of random weights on random tokens, and measures the floors before and after.

    Args:
        shape: A name in `flashlm.bench.shapes.SHAPES`, or the path of a config.json.
        dtype: The name of a number format.
        memory: As for `LanguageModel.from_pretrained`.
        tokens: How many to decode.
        prompt: How many to read before.
        context: How many fit; by default what is needed, 512 at least.
        threads: How many compute; by default one per core.
        reader: How flash is read.
        selector: Which neurons a token needs: ``"dense"``, ``"predictor"`` or ``"gate"``.
        policy: Which neurons leave DRAM first, as for `LanguageModel.from_pretrained`.
        window: Tokens whose neurons stay, for the policies ``"window"`` and ``"paper"``.
        bundled: Whether a neuron is one read; else each of its rows is one, as if they lay in
            several files.
        planted: Whether neurons fire as those of sparse models do (`flashlm.bench.planted`); by
            default where the selector is not dense. Then figures of decoding begin after 16 tokens
            more.
        seed: Other weights and another prompt for another seed.
        keep: Where the model is written and stays; one that is there already is used. By default it
            is removed.
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
    _check_counts(tokens=tokens, prompt=prompt, seed=seed)
    _check_choices(memory=memory, context=context, threads=threads, reader=reader)
    check_opening({"policy": policy, "window": window})
    if selector not in SELECTORS:
        raise ArgumentError(
            f"[bench] selector: expected {' or '.join(SELECTORS)}, got {selector!r}"
        )
    plants = selector != "dense" if planted is None else planted
    source = planted_source(shape, dtype, seed) if plants else synthetic_source(shape, dtype, seed)
    n_warm = _WARM_TOKENS if plants else 0
    n_ids = prompt + n_warm + tokens
    n_context = _context(source, n_ids, context)
    if plants:
        ids = planted_text(source, n_ids, seed)
    else:
        ids = np.random.default_rng(seed).integers(0, source.graph.vocab_size, n_ids).tolist()
    opening: dict[str, Any] = {
        "memory": check_memory(memory),
        "context": n_context,
        "threads": threads,
        "selector": selector,
        "policy": policy,
        "window": window,
        "bundled": bundled,
    }
    options = Options.resolve(source, "source", "auto")
    _check_budget(source, options, opening)
    with ExitStack() as stack:
        folder = (
            stack.enter_context(_scratch(home.home())) / "model.flash"
            if keep is None
            else checks.new_path(keep, "keep", where="bench")
        )
        if is_packed(folder):
            _check_same(folder, source, dtype)
        else:
            write_folder(source, folder, options, progress)
        if selector == "predictor" and not (folder / PREDICTOR_FILE).is_file():
            plant_predictor(folder, source)
        if selector == "gate" and not (folder / GATES_FILE).is_file():
            _core.add_gates(
                folder,
                None if progress is None else lambda done, total: progress("gates", done, total),
            )
        # The largest two: in small files there is no room for many large reads.
        second, largest = sorted(
            folder.glob("*.safetensors"), key=lambda file: file.stat().st_size
        )[-2:]
        read_memory = memory_bytes_per_second(threads or os.cpu_count() or 1)
        dram = [read_memory() for _ in range(_DRAM_READS)]
        disk, direct = disk_bytes_per_second(second, reader)
        model = _core.LanguageModel.open(
            folder,
            **opening,
            reader=reader,
            on_progress=None
            if progress is None
            else lambda done, total: progress("load", done, total),
        )
        stats = _decode(model, ids, prompt, n_warm, progress)
        disk_after, _ = disk_bytes_per_second(
            largest,
            reader,
            read_bytes=stats["bytes_read"] / stats["reads"] if stats["reads"] else None,
        )
        dram += [read_memory() for _ in range(_DRAM_READS)]
        plan = model.memory_plan.to_dict()
    firing = None
    share = 1.0
    if plants:
        n_neurons = len(source.graph.layers) * source.graph.ffn.hidden
        wanted = stats["hits"] + stats["misses"]
        share = wanted / (stats["tokens"] * n_neurons)
        firing = {**aggregated_windows(source, ids), "selected": share, "note": PLANTED_NOTE}
    by_kind: dict[str, int] = {"neurons": 0, "rows": 0}
    for tensor in source.tensors:
        by_kind[tensor.kind] = by_kind.get(tensor.kind, 0) + source.weights[tensor.name].n_bytes
    return Report(
        shape=source.name.split(",", maxsplit=1)[0],
        dtype=dtype,
        memory=str(memory),
        selector=selector,
        context=n_context,
        prompt_tokens=prompt,
        stats=stats,
        memory_plan=plan,
        disk_rates=[disk, disk_after],
        disk_is_direct=direct,
        dram_rates=dram,
        bytes_per_token_from_dram=round(
            plan["weights"] - by_kind["rows"] - (1 - share) * by_kind["neurons"]
        ),
        planted=firing,
    )


@contextlib.contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A folder in `parent` that goes again. Raises IoError where none can be made."""
    with ExitStack() as stack:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            scratch = stack.enter_context(scratch_folder(parent, "flashlm-bench-"))
        except OSError as error:
            raise io_error("make a folder", error, parent, where="bench") from error
        yield scratch


def _check_budget(source: Source, options: Options, opening: dict[str, Any]) -> None:
    """Before gigabytes are written: plans with a folder of the same headers and no weights.

    Raises BudgetError.
    """
    with _scratch(Path(tempfile.gettempdir())) as scratch:
        folder = write_folder(source, scratch / "hollow.flash", options, hollow=True)
        if opening["selector"] == "predictor":
            plant_predictor(folder, source, hollow=True)
        if opening["selector"] == "gate":
            _core.add_hollow_gates(folder)
        _core.LanguageModel.plan(folder, **opening)


def _check_counts(*, tokens: int, prompt: int, seed: int) -> None:
    for name, value in (("tokens", tokens), ("prompt", prompt)):
        check_whole(name, value, least=1, most=MOST_32_BITS, where="bench")
    check_whole("seed", seed, least=0, most=MOST_64_BITS, where="bench")


def _check_choices(
    *, memory: str | int, context: int | None, threads: int | None, reader: str
) -> None:
    """Before anything is written: what opening the model would refuse after it.

    Raises ArgumentError.
    """
    _core.parse_memory(check_memory(memory))
    check_opening({"context": context, "threads": threads})
    if reader not in READERS:
        raise ArgumentError(f"[bench] reader: expected {', '.join(READERS)}, got {reader!r}")


def _context(source: Source, n_ids: int, context: int | None) -> int:
    """How many tokens fit: what was asked for, or what `n_ids` need.

    Raises ArgumentError where that is too few.
    """
    longest = source.graph.max_context
    result = min(longest, max(_LEAST_CONTEXT, n_ids)) if context is None else context
    if result > longest:
        raise ArgumentError(
            f"[bench] context: expected at most the shape's {longest}, got {result}"
        )
    if n_ids > result:
        raise ArgumentError(
            f"[bench] context: expected at least {n_ids}, which prompt and tokens need, got "
            f"{result}. "
            "Ask for fewer tokens."
        )
    return result


def _decode(
    model: _core.LanguageModel, ids: list[int], prompt: int, n_warm: int, progress: Progress | None
) -> dict[str, Any]:
    """Reads a prompt, then decodes what follows it in the text.

    The statistics are those of decoding after `n_warm`.
    """
    model.generate(ids[:prompt], max_new_tokens=1)
    before = model.stats.to_dict()
    for number, token in enumerate(ids[prompt:], 1):
        model.step(token)
        if number == n_warm:
            before = model.stats.to_dict()
        if progress is not None:
            progress("decode", number, len(ids) - prompt)
    stats = model.stats.to_dict()
    if n_warm:
        stats = {
            name: value if name in _NOT_OF_DECODING else value - before[name]
            for name, value in stats.items()
        }
        stats["seconds_per_token"] = stats["decode_seconds"] / stats["tokens"]
        stats["bytes_per_token"] = stats["bytes_read"] / stats["tokens"]
        shorter = min(stats["compute_seconds"], stats["read_seconds"])
        hidden = max(stats["read_seconds"] - stats["io_seconds"], 0)
        stats["overlap"] = min(hidden / shorter, 1) if shorter > 0 else 0
        stats["hit_rate"] = stats["hits"] / max(stats["hits"] + stats["misses"], 1)
        if "read_seconds" in stats:
            shorter = min(stats["compute_seconds"], stats["read_seconds"])
            hidden = max(0.0, stats["read_seconds"] - stats["io_seconds"])
            stats["overlap"] = min(1.0, hidden / shorter) if shorter > 0 else 0.0
    return stats


def _check_same(folder: Path, source: Source, dtype: str) -> None:
    """Raises ArgumentError if a kept folder holds another model."""
    manifest = manifest_of(folder)
    if manifest["source"] != source.describe():
        raise ArgumentError(
            f"[bench] keep: expected {source.name} as {dtype}, got "
            f"{manifest['source'].get('name')} as "
            f"{manifest['dtype']} ({folder}). Remove it or choose another name."
        )


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}

# SPDX-License-Identifier: Apache-2.0
"""_thresholds.py: which gates of a SwiGLU model are small enough to leave their neurons out.

Lossy, and it says so.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import _core
from flashlm._core import ArgumentError, ShapeError
from flashlm._engine.checked_calls import checked
from flashlm._engine.checks import refuse
from flashlm._engine.files import io_error
from flashlm._engine.opening_options import check_memory
from flashlm.language_model import LanguageModel, Progress
from flashlm.packing.graph import Graph
from flashlm.packing.selector_file import write_selector_file
from flashlm.packing.upgrade import bundles_of, manifest_of

_FILE = "thresholds.safetensors"
_FEWEST_TOKENS = 16
_SAMPLES = 1 << 20  # gate values a layer and batch that quantiles are taken of


@checked("thresholds")
def add_thresholds(
    folder: str | os.PathLike[str],
    text: str,
    *,
    sparsity: float = 0.4,
    compare: Sequence[float] = (),
    memory: str | int = "auto",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Adds what the selector ``"threshold"`` needs: a share of the neurons is left out.

    They are those with the smallest gates.

    This is lossy. What it costs depends on the model: compare the perplexity that is returned with
    dense's.

    Args:
        folder: A packed SwiGLU model, packed with ``neurons_per_bundle=1``.
        text: Thresholds are calibrated on its first half, and perplexity is measured on the second.
        sparsity: The share of neurons to leave out, above 0 and below 1.
        compare: Other shares, whose perplexity is measured too. The thresholds that stay are those
            of `sparsity`.
        memory: For running the model.
        progress: ``progress(stage, done, total)``.

    Returns:
        ``sparsity``, ``dense_perplexity`` and ``perplexity`` with the thresholds; and in
        ``compared`` the ``perplexity`` of each ``sparsity``, ascending.

    Raises:
        ArgumentError: The sparsity is out of range, or the model is none that thresholds are for.
        ShapeError: The text is too short.
        FormatError: The gates that are there were changed, or belong to other weights.
        IoError: A file cannot be read or written. Thresholds of an earlier call then stay, as after
            an interruption.

    Example:
        >>> flashlm.add_thresholds("tiny.flash", "A text.", sparsity=1.5)
        Traceback (most recent call last):
        ...
        flashlm.ArgumentError: [thresholds] sparsity: expected more than 0 and less than 1, got 1.5
    """
    from gguf import GGMLQuantizationType, quants

    for share in (sparsity, *compare):
        if not 0 < share < 1:
            refuse("thresholds", "sparsity", "more than 0 and less than 1", share)
    shares = [*sorted({*compare} - {sparsity}), sparsity]  # the last one stays
    folder = Path(folder)
    _check_folder(folder)
    _core.parse_memory(check_memory(memory))
    _check_text(folder, text)
    if not (folder / "gates.safetensors").is_file():
        _core.add_gates(
            folder, None if progress is None else lambda done, total: progress("gates", done, total)
        )
    _core.verify_selector("gate", folder)
    gates = _core.Safetensors(str(folder / "gates.safetensors"))
    half = len(text) // 2
    found: dict[int, list[Any]] = {}  # of each layer: a threshold for each share, batch by batch

    def look(layer: int, x: Any, _h: Any) -> None:
        rows = quants.dequantize(gates.read(f"layers.{layer}.gate"), GGMLQuantizationType.Q8_0)
        gate = (x @ rows.T).ravel()[:_SAMPLES].astype(np.float64)
        found.setdefault(layer, []).append(np.quantile(np.abs(gate / (1 + np.exp(-gate))), shares))

    with LanguageModel.from_pretrained(
        folder, memory=memory, selector="dense", progress=progress
    ) as lm:
        ids = lm.tokenizer.encode(text[:half])
        for begin in range(0, len(ids), lm.context):
            if progress is not None:
                progress("collect", begin, len(ids))
            lm.collect(ids[begin : begin + lm.context], look)
        dense = _perplexity(lm, text[half:], progress)
    compared = []
    with _kept_on_error(folder / _FILE):
        for index, share in enumerate(shares):
            _write(
                folder,
                gates,
                {layer: float(np.mean(values, axis=0)[index]) for layer, values in found.items()},
            )
            with LanguageModel.from_pretrained(
                folder, memory=memory, selector="threshold", progress=progress
            ) as lm:
                compared.append(
                    {"sparsity": share, "perplexity": _perplexity(lm, text[half:], progress)}
                )
    kept = compared[-1]["perplexity"]
    return {
        "sparsity": sparsity,
        "dense_perplexity": dense,
        "perplexity": kept,
        "compared": sorted(compared, key=lambda one: one["sparsity"]),
    }


def _check_folder(folder: Path) -> None:
    """Refuses what could not use thresholds, before any work is done. Raises ArgumentError."""
    manifest = manifest_of(folder)
    activation = Graph.of_json(manifest["graph"]).ffn.activation
    if activation != "silu":
        raise ArgumentError(
            f"[thresholds] model: expected a gated network with silu, got {activation} ({folder}). "
            f"Its silent "
            "neurons are exactly zero: the selector 'gate' leaves those out and loses nothing."
        )
    if (bundles := bundles_of(manifest)) != "1":
        raise ArgumentError(
            f"[thresholds] model: expected bundles of 1 neuron, got {bundles} ({folder}). "
            "Pack it with neurons_per_bundle=1."
        )


def _check_text(folder: Path, text: str) -> None:
    tokenizer = _core.Tokenizer.open(folder / "tokenizer.json")
    half = len(text) // 2
    for part, use in ((text[:half], "calibrate"), (text[half:], "measure")):
        count = len(tokenizer.encode(part))
        if count < _FEWEST_TOKENS:
            raise ShapeError(
                f"[thresholds] text: expected at least {_FEWEST_TOKENS} tokens to {use}, got "
                f"{count}. Thousands are "
                "better."
            )


@contextlib.contextmanager
def _kept_on_error(path: Path) -> Iterator[None]:
    """Puts a file back as it was, or removes it, where the block does not end well."""
    before = path.with_name(path.name + ".before")
    if path.is_file():
        path.replace(before)
    try:
        yield
    except BaseException:
        if before.is_file():
            before.replace(path)
        else:
            path.unlink(missing_ok=True)
        raise
    before.unlink(missing_ok=True)


def _perplexity(lm: LanguageModel, text: str, progress: Progress | None) -> float:
    return lm.perplexity(
        text, None if progress is None else lambda done, total: progress("measure", done, total)
    )


def _write(folder: Path, gates: Any, thresholds: dict[int, float]) -> None:
    tensors: dict[str, Any] = {}
    for layer, threshold in thresholds.items():
        tensors[f"layers.{layer}.gate"] = gates.read(f"layers.{layer}.gate")
        tensors[f"layers.{layer}.threshold"] = np.array([threshold], np.float32)
    try:
        write_selector_file(folder / _FILE, "thresholds", gates.metadata()["model"], tensors)
    except OSError as error:
        raise io_error("write", error, folder / _FILE, where="thresholds") from error

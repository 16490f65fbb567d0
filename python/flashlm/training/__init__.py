# SPDX-License-Identifier: Apache-2.0
"""Trains the predictors of a model with ReLU neurons (docs/predictors.md)."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import _core
from flashlm._core import ArgumentError, FormatError, ShapeError
from flashlm._engine.checked_calls import checked
from flashlm._engine.checks import MOST_32_BITS, MOST_64_BITS, choice, refuse, whole
from flashlm._engine.files import folder_error, io_error, locked
from flashlm._engine.opening_options import check_memory, check_opening, check_whole
from flashlm.language_model import LanguageModel, Progress
from flashlm.packing.graph import SPARSE, Graph
from flashlm.packing.upgrade import bundles_of, manifest_of
from flashlm.training import _fit, _store
from flashlm.training._report import LayerReport, TrainReport
from flashlm.training._text import FEWEST_TOKENS, Windows, cut, read_texts
from flashlm.training._thresholds import add_thresholds
from flashlm.training._torch_fit import require_torch
from flashlm.training._trainer import Options, Shape, Trainer

__all__ = ["LayerReport", "TrainReport", "add_thresholds", "train"]

_VERSION = 1  # of the working folder


@checked("train")
def train(
    source: str | os.PathLike[str],
    text: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    *,
    rank: int | str = "auto",
    recall: float = 0.99,
    tokens: int = 16384,
    dtype: str = "q8_0",
    epochs: int = 8,
    seed: int = 0,
    fitter: str = "eigen",
    memory: str | int = "auto",
    threads: int | None = None,
    out: str | os.PathLike[str] | None = None,
    perplexity: bool = True,
    progress: Progress | None = None,
) -> TrainReport:
    """Trains a low-rank predictor for each layer, and puts them beside the packed weights.

    The weights do not change.

    The model runs densely on the text; what its neurons do goes to
    ``predictor.safetensors.partial``, with all that is learned. An interruption leaves that folder,
    and the same call goes on from it.

    Args:
        source: A packed model whose neurons are mostly silent, as with ReLU; or anything
            `flashlm.pack` takes.
        text: Files of UTF-8 text, of the kind that the model will read. A tenth sets thresholds, a
            tenth is measured.
        rank: Numbers that the input of a layer is squeezed into; "auto" grows it, layer by layer,
            while that saves more than it costs.
        recall: The share of the activation mass that a threshold has to find.
        tokens: How much of the text is used, at most.
        dtype: How matrices are stored: "q8_0" or "f16".
        epochs: How often each token is seen.
        seed: The same seed gives the same predictors.
        fitter: What fits them: "eigen", which needs nothing more, or "torch".
        memory: Of the model while it runs, as in `LanguageModel.from_pretrained`.
        threads: Threads that compute; by default one per core.
        out: Where to, instead of ``predictor.safetensors`` in the model's folder. Perplexity is not
            measured then.
        perplexity: Whether to compare the model with and without predictors.
        progress: Called as ``progress(stage, done, total)``.

    Returns:
        What each layer got, measured.

    Raises:
        ImportError: The fitter is "torch", which is missing.
        FormatError: A file is no text, an activation is not finite, or the model is not sparse.
        ShapeError: The text is too short.
        ArgumentError: An argument lies outside its range.
        IoError: A file cannot be read or written, or another process trains the same model.

    Example:
        >>> flashlm.train("tiny.flash", "missing.txt")
        Traceback (most recent call last):
        IoError: [train] read: No such file or directory (missing.txt)
    """
    from flashlm.home import packed

    options = _options(
        rank=rank, recall=recall, epochs=epochs, seed=seed, dtype=dtype, fitter=fitter
    )
    check_whole("tokens", tokens, least=FEWEST_TOKENS, most=MOST_64_BITS, where="train")
    check_opening({"threads": threads})
    _core.parse_memory(check_memory(memory))
    tell = progress if progress is not None else _nobody
    files = [text] if isinstance(text, (str, os.PathLike)) else list(text)
    content = read_texts(files)
    if fitter == "torch":
        require_torch()
    folder = packed(source, progress=progress)
    manifest = manifest_of(folder)
    _check_folder(manifest, options, folder)
    path = Path(out).expanduser() if out is not None else folder / _store.FILE
    if path.is_dir():
        raise folder_error("expected the name of a file, got a folder", errno.EISDIR, path, "train")
    work = path.with_name(path.name + ".partial")
    try:
        with locked(work, "train", "training the same model"):
            with LanguageModel.from_pretrained(
                folder, memory=memory, threads=threads, selector="dense"
            ) as lm:
                windows = _cut(work, lm, content, tokens)
                trainer = Trainer(work, _shape(manifest, lm), windows, options, threads)
                text_key = _hash(_core.weights_fingerprint(folder), windows, _VERSION)
                trainer.resume(text_key, _hash(text_key, options))
                if not trainer.is_collected:
                    _collect(trainer, lm, tell, work)
            fitted = trainer.fit(tell)
            layers = [(one.predictor, one.report.threshold) for one in fitted]
            selected = sum(one.report.predicted for one in fitted) / len(fitted)
            _store.write(path, layers, dtype, _core.weights_fingerprint(folder), selected)
            shutil.rmtree(work)
    except OSError as error:
        raise io_error("write", error, work, where="train") from error
    measured: list[float | None] = [None, None]
    if perplexity and out is None:
        for index, selector in enumerate(("dense", "predictor")):
            with (
                contextlib.suppress(NotImplementedError),
                LanguageModel.from_pretrained(
                    folder, memory=memory, threads=threads, selector=selector
                ) as lm,
            ):
                measured[index] = _perplexity(lm, windows, tell)
    return TrainReport(
        path=path,
        dtype=dtype,
        target=recall,
        tokens=windows.length * sum(map(len, (windows.train, windows.calibrate, windows.measure))),
        layers=tuple(one.report for one in fitted),
        dense_perplexity=measured[0],
        perplexity=measured[1],
    )


def _options(
    *, rank: int | str, recall: float, epochs: int, seed: int, dtype: str, fitter: str
) -> Options:
    if not isinstance(rank, str):
        rank = whole(rank, "rank", where="train", least=_fit.RANK_UNIT, most=MOST_32_BITS)
    if rank != "auto" and (isinstance(rank, str) or rank % _fit.RANK_UNIT):
        refuse("train", "rank", f"'auto' or a multiple of {_fit.RANK_UNIT}", rank)
    if not 0 < recall <= 1:
        refuse("train", "recall", "more than 0 and at most 1", recall)
    check_whole("epochs", epochs, least=1, most=MOST_32_BITS, where="train")
    check_whole("seed", seed, least=0, most=MOST_64_BITS, where="train")
    if dtype not in ("q8_0", "f16"):
        refuse("train", "dtype", "'q8_0' or 'f16'", dtype)
    choice(fitter, "fitter", _fit.FITTERS, where="train")
    return Options(rank=rank, recall=recall, epochs=epochs, seed=seed, dtype=dtype, fitter=fitter)


def _collect(trainer: Trainer, lm: LanguageModel, progress: Progress, work: Path) -> None:
    """Runs the model; where its activations are of no use, they leave nothing behind."""
    try:
        trainer.collect(lm, progress)
    except FormatError:
        shutil.rmtree(work)
        raise


def _cut(work: Path, lm: LanguageModel, content: str, tokens: int) -> Windows:
    """The windows of a text; one that is too short leaves no folder behind."""
    try:
        return cut(lm.tokenizer, content, tokens, lm.context)
    except ShapeError:
        with contextlib.suppress(OSError):  # an earlier run's work stays
            work.rmdir()
        raise


def _check_folder(manifest: dict[str, Any], options: Options, folder: Path) -> None:
    """Refuses what could not use a predictor, before any work is done. Raises ArgumentError."""
    graph = Graph.of_json(manifest["graph"])
    activation = graph.ffn.activation
    if activation not in SPARSE:
        raise ArgumentError(
            f"[train] model: expected an activation that makes zeros, such as relu, got "
            f"{activation} ({folder}). "
            "All of its neurons fire: nothing to predict. `flashlm thresholds` leaves small ones "
            "out, lossily."
        )
    if (bundles := bundles_of(manifest)) != "1":
        raise ArgumentError(
            f"[train] model: expected bundles of 1 neuron, got {bundles} ({folder}). "
            "Pack it with neurons_per_bundle=1; models with ReLU get that by themselves."
        )
    if options.dtype == "q8_0" and graph.dim % _fit.RANK_UNIT:
        raise ArgumentError(
            f"[train] dtype: expected dim to be a multiple of {_fit.RANK_UNIT} for q8_0, got "
            f"{graph.dim}. Use 'f16'."
        )
    if (least := options.ranks(graph.dim)[0]) > graph.dim:
        raise ArgumentError(
            f"[train] rank: expected at most dim, which is {graph.dim}, got {least} ({folder})."
        )


def _shape(manifest: dict[str, Any], lm: LanguageModel) -> Shape:
    layer = manifest["layers"][0]
    return Shape(
        n_layers=len(manifest["layers"]),
        dim=lm.config["dim"],
        hidden=layer["neurons"],
        n_matrices=3 if layer["gated"] else 2,
    )


def _perplexity(lm: LanguageModel, windows: Windows, progress: Progress) -> float:
    """Of the windows that are measured: exp of the mean negative log-likelihood.

    The mean is that of all their tokens but the first.
    """
    total, count = 0.0, 0
    for done, window in enumerate(windows.measure):
        progress("measure", done, len(windows.measure))
        logits = lm.logits(window)[:-1].astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        likelihood = logits[np.arange(len(logits)), window[1:]] - np.log(np.exp(logits).sum(axis=1))
        total -= float(likelihood.sum())
        count += len(likelihood)
    progress("measure", len(windows.measure), len(windows.measure))
    return math.exp(total / count)


def _hash(*values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()


def _nobody(stage: str, done: int, total: int) -> None:
    """Nobody wants to know."""

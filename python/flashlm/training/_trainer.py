# SPDX-License-Identifier: Apache-2.0
"""_trainer.py: collects, fits and measures, and goes on from where it was interrupted.

The working folder holds the activations, one file a layer of what was fitted, and a journal. The
journal vouches for what is complete: an interruption loses the layer that was being fitted, or some
seconds of collecting.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from flashlm._core import FormatError
from flashlm._engine.files import sync_folder, write_synced
from flashlm.training import _fit
from flashlm.training._activations import ActivationStore, Part, Runner
from flashlm.training._predictor import Predictor
from flashlm.training._report import LayerReport
from flashlm.training._text import Windows

Progress = Callable[[str, int, int], None]
_JOURNAL = "journal.json"
_SYNC_SECONDS = 10.0
_DENSE = 0.95  # a share of active neurons that no ReLU model has in all of its layers
_EVERYTHING = 1.0  # of the dense network: what predictor and selected neurons must cost less than


@dataclass(frozen=True)
class Shape:
    """The feed-forward networks of a model."""

    n_layers: int
    dim: int
    hidden: int
    n_matrices: int  # 3 with a gate, else 2


@dataclass(frozen=True)
class Options:
    """How predictors are made."""

    rank: int | str  # a number, or "auto"
    recall: float
    epochs: int
    seed: int
    dtype: str
    fitter: str = "eigen"

    def ranks(self, dim: int) -> list[int]:
        """The ranks to try, from small to large."""
        return _fit.ranks(dim) if isinstance(self.rank, str) else [self.rank]


@dataclass(frozen=True)
class Fitted:
    """What a layer got; without a predictor it takes every neuron."""

    predictor: Predictor | None
    report: LayerReport


class Trainer:
    """Makes the predictors of one model from one text."""

    def __init__(
        self,
        work: Path,
        shape: Shape,
        windows: Windows,
        options: Options,
        threads: int | None = None,
    ) -> None:
        self.shape = shape
        self._threads = threads  # no option: predictors do not depend on it
        self._work, self._windows, self._options = work, windows, options
        self._store = ActivationStore(work, shape.n_layers, shape.dim, shape.hidden)
        self._all = [*windows.train, *windows.calibrate, *windows.measure]
        self._n_collected = 0
        self._layers: dict[int, LayerReport] = {}

    def resume(self, text_key: str, options_key: str) -> None:
        """Takes over what an earlier run left for the same model and text.

        Also what it fitted with these options.
        """
        self._keys = {"text": text_key, "options": options_key}
        journal = _read_journal(self._work / _JOURNAL)
        if journal.get("text") != text_key:
            return
        n_tokens = sum(map(len, self._all[: journal["collected"]]))
        if not self._store.holds(n_tokens):  # somebody removed what the journal speaks of
            return
        self._n_collected = journal["collected"]
        if journal.get("options") == options_key:
            reports = [LayerReport(**entry) for entry in journal["layers"]]
            self._layers = {
                report.layer: report for report in reports if self._path(report.layer).is_file()
            }

    @property
    def is_collected(self) -> bool:
        """Whether the model need not run any more."""
        return self._n_collected == len(self._all)

    def collect(self, runner: Runner, progress: Progress) -> None:
        """Runs the model on all windows.

        Raises:
            FormatError: An activation is not finite, or the model is not sparse.
        """
        progress("collect", self._n_collected, len(self._all))
        saved = time.monotonic()
        for done in self._store.add(runner, self._all, self._n_collected):
            if done == 1:
                self._require_sparse()
            progress("collect", done, len(self._all))
            if done == len(self._all) or time.monotonic() - saved > _SYNC_SECONDS:
                self._store.sync()
                self._n_collected, saved = done, time.monotonic()
                self._save_journal()

    def fit(self, progress: Progress) -> list[Fitted]:
        """Fits all layers that are not yet.

        Raises:
            FormatError: A layer fires nowhere, or every predictor selects everything.
        """
        progress("fit", len(self._layers), self.shape.n_layers)
        for layer in range(self.shape.n_layers):
            if layer not in self._layers:
                fitted = self._fit_layer(layer)
                arrays = io.BytesIO()
                if fitted.predictor is not None:
                    np.savez(arrays, **{name: getattr(fitted.predictor, name) for name in _FIELDS})
                _write(self._path(layer), arrays.getvalue())
                self._layers[layer] = fitted.report
                self._save_journal()
            progress("fit", len(self._layers), self.shape.n_layers)
        if all(report.rank == 0 for report in self._layers.values()):
            raise FormatError(
                f"[train] recall: finding {self._options.recall:.2%} of the activations selects "
                f"every neuron of every "
                "layer. Ask for less, train on more text, or run the model densely."
            )
        return [self._load(layer) for layer in range(self.shape.n_layers)]

    def _fit_layer(self, layer: int) -> Fitted:
        sizes = [len(self._windows.train), len(self._windows.calibrate), len(self._windows.measure)]
        ends = [int(end) * self._windows.length for end in np.cumsum(sizes)]
        train, calibration, measured = (
            self._store.part(layer, begin, end)
            for begin, end in zip([0, *ends[:-1]], ends, strict=True)
        )
        if not calibration.scales.any():
            raise FormatError(
                f"[train] text: expected neurons that fire, got none in layer {layer}: a threshold "
                f"would select "
                "nothing. Use more text, or look at the weights."
            )
        first, *others = self._options.ranks(self.shape.dim)
        best = self._try_rank(layer, first, (train, calibration, measured))
        for rank in others:
            fitted = self._try_rank(layer, rank, (train, calibration, measured))
            if not _fit.is_worth(_total(best.report), _total(fitted.report)):
                break
            best = fitted
        return best if _total(best.report) < _EVERYTHING else _every_neuron(best.report)

    def _try_rank(self, layer: int, rank: int, parts: tuple[Part, Part, Part]) -> Fitted:
        train, calibration, measured = parts
        options, shape = self._options, self.shape
        seed = (options.seed * 100_003 + layer) % 2**64
        predictor = _fit.fit(
            train,
            rank,
            fitter=options.fitter,
            epochs=options.epochs,
            seed=seed,
            dtype=options.dtype,
            threads=self._threads,
        )
        threshold = _fit.calibrate(predictor, calibration, options.recall, self._threads)
        quality = _fit.measure(predictor, threshold, measured, self._threads)
        report = LayerReport(
            layer=layer,
            rank=rank,
            threshold=threshold,
            sparsity=1 - quality.active,
            predicted=quality.predicted,
            recall=quality.recall,
            mass_recall=quality.mass_recall,
            precision=quality.precision,
            cost=_fit.cost(rank, shape.dim, shape.hidden, shape.n_matrices),
        )
        return Fitted(predictor, report)

    def _require_sparse(self) -> None:
        length = self._windows.length
        shares = [
            (self._store.part(n, 0, length).codes > 0).mean() for n in range(self.shape.n_layers)
        ]
        if min(shares) > _DENSE:
            raise FormatError(
                f"[train] model: expected one whose neurons are mostly silent, as with ReLU, got "
                f"one in which "
                f"{min(shares):.0%} or more fire in every layer. There is nothing to predict."
            )

    def _load(self, layer: int) -> Fitted:
        if self._layers[layer].rank == 0:
            return Fitted(None, self._layers[layer])
        with np.load(self._path(layer)) as arrays:
            return Fitted(Predictor(*(arrays[name] for name in _FIELDS)), self._layers[layer])

    def _path(self, layer: int) -> Path:
        return self._work / f"fitted-{layer:05d}.npz"

    def _save_journal(self) -> None:
        layers = [asdict(report) for report in self._layers.values()]
        text = json.dumps({**self._keys, "collected": self._n_collected, "layers": layers})
        _write(self._work / _JOURNAL, text.encode())


_FIELDS = ("reduce", "expand", "bias")


def _total(report: LayerReport) -> float:
    """What a token costs of the dense network's multiplications.

    It is that of the predictor and of the selected neurons.
    """
    return report.cost + report.predicted


def _every_neuron(report: LayerReport) -> Fitted:
    """For a layer whose predictor would cost more than it saves."""
    fires = 1 - report.sparsity
    lowest = float(np.finfo(np.float32).min)
    shares = replace(report, predicted=1.0, recall=1.0, mass_recall=1.0, precision=fires)
    return Fitted(None, replace(shares, rank=0, threshold=lowest, cost=0.0))


def _write(path: Path, data: bytes) -> None:
    """Writes a file, whole or not at all."""
    beside = path.with_name(path.name + ".new")
    write_synced(beside, data)
    beside.replace(path)
    sync_folder(path.parent)


def _read_journal(path: Path) -> dict[str, Any]:
    """The journal of an earlier run; empty where there is none or it is damaged."""
    try:
        journal = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    is_whole = (
        isinstance(journal, dict)
        and isinstance(journal.get("collected"), int)
        and "layers" in journal
    )
    return journal if is_whole else {}

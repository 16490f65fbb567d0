# SPDX-License-Identifier: Apache-2.0
"""Predictors are learned from what neurons do; an interruption loses one layer at most."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
from flashlm import _core
from flashlm.training import _fit, _store
from flashlm.training._activations import ActivationStore
from flashlm.training._report import LayerReport
from flashlm.training._text import Windows, cut, read_texts
from flashlm.training._trainer import Fitted, Options, Shape, Trainer

SHAPE = Shape(n_layers=3, dim=64, hidden=160, n_matrices=2)
OPTIONS = Options(rank="auto", recall=0.99, epochs=6, seed=0, dtype="q8_0")
WINDOWS = Windows(*([[[begin + i for i in range(64)] for begin in range(n)] for n in (24, 6, 6)]))
FEW = Windows(WINDOWS.train[:4], WINDOWS.calibrate[:1], WINDOWS.measure[:1])


class FakeRunner:
    """Three ReLU layers over inputs of eight dimensions in 64, so that a low rank can know them."""

    def __init__(self, breaks_at: int | None = None, poison: float = 0.0) -> None:
        random = np.random.default_rng(1)
        self._directions = random.standard_normal((8, SHAPE.dim))
        self._weights = random.standard_normal((SHAPE.n_layers, SHAPE.dim, SHAPE.hidden)) / 8
        self._bias = -1 + 0.5 * random.standard_normal(SHAPE.hidden)
        self._breaks_at, self._poison = breaks_at, poison
        self.n_calls = 0

    def collect(self, ids: Sequence[int], on_layer: Callable[[int, Any, Any], None]) -> None:
        if self.n_calls == self._breaks_at:
            raise KeyboardInterrupt
        self.n_calls += 1
        x = np.random.default_rng(sum(ids)).standard_normal((len(ids), 8)) @ self._directions / 3
        for layer in range(SHAPE.n_layers):
            h = np.maximum(x @ self._weights[layer] + self._bias, 0).astype(np.float32)
            h[0, 0] += self._poison
            on_layer(layer, x.astype(np.float32), h)


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here pulls the plug."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def nobody(stage: str, done: int, total: int) -> None:
    """Listens to no progress."""


def trainer(
    work: Path, options: Options = OPTIONS, text: str = "text", windows: Windows = WINDOWS
) -> Trainer:
    work.mkdir(exist_ok=True)
    result = Trainer(work, SHAPE, windows, options)
    result.resume(text, repr(options))
    return result


def test_activations_come_back_as_they_were(tmp_path: Path) -> None:
    kept = ActivationStore(tmp_path, SHAPE.n_layers, SHAPE.dim, SHAPE.hidden)
    assert list(kept.add(FakeRunner(), WINDOWS.train[:3], 0)) == [1, 2, 3]
    seen: list[Any] = []
    FakeRunner().collect(WINDOWS.train[1], lambda *layer: seen.append(layer))
    part = kept.part(2, 64, 128)
    _, x, h = seen[2]
    assert np.allclose(part.x, x, atol=2e-3)
    assert ((part.codes > 0) == (h > 0)).all()
    assert np.allclose(part.mass(slice(0, 64)), h, atol=0.005 * h.max())


def test_a_half_written_window_is_cut_off(tmp_path: Path) -> None:
    kept = ActivationStore(tmp_path, SHAPE.n_layers, SHAPE.dim, SHAPE.hidden)
    list(kept.add(FakeRunner(), WINDOWS.train[:2], 0))
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (tmp_path / "activations-00001.codes").open("ab") as file:
        file.write(b"half a window")
    list(kept.add(FakeRunner(), WINDOWS.train[:2], 1))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole


def test_an_activation_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(flashlm.FormatError, match=r"expected finite numbers, got inf \(layer 0\)"):
        trainer(tmp_path).collect(FakeRunner(poison=float("inf")), nobody)


def test_a_model_whose_neurons_all_fire_is_refused(tmp_path: Path) -> None:
    class Busy(FakeRunner):
        def collect(self, ids: Sequence[int], on_layer: Callable[[int, Any, Any], None]) -> None:
            super().collect(ids, lambda layer, x, h: on_layer(layer, x, h - 1))

    with pytest.raises(flashlm.FormatError, match=r"There is nothing to predict"):
        trainer(tmp_path).collect(Busy(), nobody)


def test_collecting_goes_on_where_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[Trainer.__module__], "_SYNC_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            trainer(tmp_path / "a").collect(FakeRunner(breaks_at=4), nobody)
    again, runner = trainer(tmp_path / "a"), FakeRunner()
    assert not again.is_collected
    again.collect(runner, nobody)
    assert runner.n_calls == 36 - 4
    trainer(tmp_path / "b").collect(FakeRunner(), nobody)
    for path in (tmp_path / "b").glob("activations-*"):
        assert (tmp_path / "a" / path.name).read_bytes() == path.read_bytes()
    other = trainer(tmp_path / "a", text="another text")
    assert not other.is_collected


@pytest.mark.parametrize("moment", range(1, 19, 3))
def test_an_interruption_anywhere_in_a_window_loses_nothing(
    moment: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[Trainer.__module__], "_SYNC_SECONDS", 0.0)

    class Broken(FakeRunner):
        def collect(self, ids: Sequence[int], on_layer: Callable[[int, Any, Any], None]) -> None:
            super().collect(ids, lambda layer, x, h: self.count(on_layer, layer, x, h))

        def count(
            self, on_layer: Callable[[int, Any, Any], None], layer: int, x: Any, h: Any
        ) -> None:
            self.n_layers = getattr(self, "n_layers", 0) + 1
            if self.n_layers == moment:
                raise KeyboardInterrupt
            on_layer(layer, x, h)

    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, windows=FEW).collect(Broken(), nobody)
    trainer(tmp_path, windows=FEW).collect(FakeRunner(), nobody)
    for path in whole.glob("activations-*"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is collected without an interruption."""
    place = tmp_path_factory.mktemp("whole")
    trainer(place, windows=FEW).collect(FakeRunner(), nobody)
    return place


@pytest.mark.parametrize("damage", ["removed", "cut", "journal"])
def test_activations_that_somebody_removed_are_collected_again(
    damage: str, whole: Path, tmp_path: Path
) -> None:
    work = Path(shutil.copytree(whole, tmp_path / "work"))
    assert trainer(work, windows=FEW).is_collected
    victim = work / "activations-00001.codes"
    if damage == "removed":
        victim.unlink()
    elif damage == "cut":
        os.truncate(victim, victim.stat().st_size - 1)
    else:
        (work / "journal.json").write_text('{"text": "text"}')
    again, runner = trainer(work, windows=FEW), FakeRunner()
    assert not again.is_collected
    again.collect(runner, nobody)
    assert runner.n_calls == 6
    assert victim.read_bytes() == (whole / victim.name).read_bytes()


def test_neurons_that_never_fire_leave_no_threshold(tmp_path: Path) -> None:
    class Silent(FakeRunner):
        def collect(self, ids: Sequence[int], on_layer: Callable[[int, Any, Any], None]) -> None:
            super().collect(ids, lambda layer, x, h: on_layer(layer, x, h * (layer != 1)))

    silent = trainer(tmp_path, windows=FEW)
    silent.collect(Silent(), nobody)
    silent._layers[0] = report(0)
    with pytest.raises(
        flashlm.FormatError, match=r"got none in layer 1: a threshold would select nothing"
    ):
        silent.fit(nobody)


def test_thresholds_that_select_everything_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Trainer, "_try_rank", lambda _self, layer, _rank, _parts: Fitted(None, report(layer))
    )
    busy = trainer(tmp_path, windows=FEW)
    busy.collect(FakeRunner(), nobody)
    with pytest.raises(
        flashlm.FormatError, match=r"99\.00% of the activations selects every neuron of every layer"
    ):
        busy.fit(nobody)


def report(layer: int) -> LayerReport:
    """A predictor that selects everything, at a cost."""
    shares: dict[str, Any] = {
        "sparsity": 0.5,
        "predicted": 1.0,
        "recall": 1.0,
        "mass_recall": 1.0,
        "precision": 0.5,
    }
    return LayerReport(layer=layer, rank=32, threshold=-9.0, cost=0.1, **shares)


def test_text_is_cut_into_three_parts(lm: flashlm.LanguageModel, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One, two, three. " * 100)
    (tmp_path / "b.txt").write_text("The moon is bright tonight. " * 100)
    text = read_texts([tmp_path / "a.txt", tmp_path / "b.txt"])
    windows = cut(lm.tokenizer, text, 2000, lm.context)
    counts = [len(part) for part in (windows.train, windows.calibrate, windows.measure)]
    assert counts == [32, 4, 4]
    assert windows.length == 50
    with pytest.raises(flashlm.ShapeError, match="expected at least 320 tokens, got"):
        cut(lm.tokenizer, "Too short.", 2000, lm.context)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfe\x00", "expected UTF-8, got byte 0xff at offset 0"),
        (b"zero\0byte", "got a zero byte at 4"),
        (b" \n", "got 2 bytes of white space"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "text.bin").write_bytes(data)
    with pytest.raises(flashlm.FormatError, match=message):
        read_texts([tmp_path / "text.bin"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 48}, "rank: expected 'auto' or a multiple of 32, got 48"),
        ({"recall": 0.0}, "recall: expected more than 0 and at most 1"),
        ({"recall": float("nan")}, "recall: expected a finite number, got nan"),
        ({"epochs": 0}, "epochs: expected 1 or more"),
        ({"fitter": "jax"}, "fitter: expected one of eigen, torch, got 'jax'"),
        ({"dtype": "q4_0"}, "dtype: expected 'q8_0' or 'f16', got 'q4_0'"),
    ],
)
def test_arguments_outside_their_range_are_refused(
    arguments: dict[str, Any], message: str, tiny: Path
) -> None:
    with pytest.raises(flashlm.ArgumentError, match=message):
        flashlm.train(tiny, "any.txt", **arguments)


def test_without_torch_the_error_names_the_extra(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("The moon is bright tonight.")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install 'flashlm\[train\]'"):
        flashlm.train(tiny, tmp_path / "text.txt", fitter="torch")


def test_the_fitter_of_the_package_itself_needs_no_torch(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("The moon is bright tonight.")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(flashlm.Error, match="expected"):  # what is wrong is the text or the model
        flashlm.train(tiny, tmp_path / "text.txt")


def test_auto_ranks_are_those_of_the_paper() -> None:
    assert _fit.ranks(4096) == [128, 256, 512, 1024]
    assert _fit.ranks(256) == [32, 64]
    assert _fit.ranks(64) == [32]


@pytest.mark.parametrize("fitter", ["eigen", pytest.param("torch", marks=pytest.mark.torch)])
def test_a_predictor_finds_what_it_was_asked_to(
    fitter: str, need: Callable[[str], Any], tmp_path: Path
) -> None:
    if fitter == "torch":
        need("torch")
    work = trainer(tmp_path / "work", replace(OPTIONS, fitter=fitter))
    work.collect(FakeRunner(), nobody)
    fitted = work.fit(nobody)
    for one in fitted:
        assert one.report.rank == 32
        assert one.report.mass_recall > 0.98
        assert one.report.over_prediction < 1.5
        assert 0.05 < 1 - one.report.sparsity < one.report.predicted < 0.4
    path = tmp_path / "predictor.safetensors"
    _store.write(path, [(one.predictor, one.report.threshold) for one in fitted], "q8_0", "model")
    tensors = _core.Safetensors(str(path))
    assert tensors.shape("layers.2.b") == [SHAPE.hidden, 34]
    assert tensors.metadata() == {
        "format": "flashlm predictor",
        "format_version": "2",
        "model": "model",
    }
    sums = tensors.read("tensor_checksums").view("<u4")[:, 0]
    names = [name for name in tensors.names() if name != "tensor_checksums"]
    content = path.read_bytes()
    header = content[: 8 + int.from_bytes(content[:8], "little")]
    assert [
        _core.crc32(header),
        *(_core.crc32(tensors.read(name).tobytes()) for name in names),
    ] == sums.tolist()


def test_fitting_goes_on_with_the_next_layer(tmp_path: Path) -> None:
    first = trainer(tmp_path)
    first.collect(FakeRunner(), nobody)

    def stop(*progress: str | int) -> None:
        if progress == ("fit", 2, 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.fit(stop)
    again = trainer(tmp_path)
    assert again.is_collected
    steps: list[tuple[str | int, ...]] = []
    resumed = again.fit(lambda *progress: steps.append(progress))
    assert [done for _, done, _ in steps] == [2, 2, 2, 3]
    anew = trainer(tmp_path, Options(rank=32, recall=0.9, epochs=1, seed=0, dtype="f16"))
    assert anew.is_collected
    others = anew.fit(nobody)
    assert all(
        a.report.predicted > b.report.predicted for a, b in zip(resumed, others, strict=True)
    )
    journal = json.loads((tmp_path / "journal.json").read_text())
    (tmp_path / "journal.json").write_text(json.dumps(journal)[:-9])
    assert not trainer(tmp_path).is_collected


def test_a_fit_does_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    work = trainer(tmp_path)
    work.collect(FakeRunner(), nobody)
    part = work._store.part(0, 0, 1024)
    one, two = (
        _fit.fit(part, 32, fitter="eigen", epochs=2, seed=3, dtype="f16", threads=threads)
        for threads in (1, 2)
    )
    assert one.reduce.tobytes() == two.reduce.tobytes()
    assert one.expand.tobytes() == two.expand.tobytes()
    assert one.bias.tobytes() == two.bias.tobytes()


def test_an_input_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    class Blind(FakeRunner):
        def collect(self, ids: Sequence[int], on_layer: Callable[[int, Any, Any], None]) -> None:
            super().collect(ids, lambda layer, x, h: on_layer(layer, x * np.float32("nan"), h))

    work = trainer(tmp_path)
    work.collect(Blind(), nobody)
    with pytest.raises(flashlm.FormatError, match="expected finite inputs, got nan"):
        work.fit(nobody)


def train_to_the_end(work: Path, out: Path) -> None:
    """For a process of its own, that may be killed anywhere."""
    one = trainer(work)
    if not one.is_collected:
        one.collect(FakeRunner(), nobody)
    fitted = one.fit(nobody)
    _store.write(out, [(each.predictor, each.report.threshold) for each in fitted], "q8_0", "model")


def test_training_killed_at_random_moments_gives_the_same_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")

    def run(name: str, seconds: float | None) -> int | None:
        (tmp_path / name).mkdir(exist_ok=True)
        process = context.Process(
            target=train_to_the_end, args=(tmp_path / name, tmp_path / f"{name}.safetensors")
        )
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
        return process.exitcode

    begin = time.monotonic()
    assert run("whole", None) == 0
    length = time.monotonic() - begin
    random = np.random.default_rng(7)
    for kills in range(4):  # the more kills, the sooner each comes
        name = f"killed-{kills}"
        for _ in range(kills):
            run(name, length * float(random.uniform(0, 1.2 / kills)))
        assert run(name, None) == 0
        assert (tmp_path / f"{name}.safetensors").read_bytes() == (
            tmp_path / "whole.safetensors"
        ).read_bytes()

# SPDX-License-Identifier: Apache-2.0
"""fitters.py: the two fitters of predictors, Eigen's and torch's, on the small trained ReLU model.

    python benchmarks/fitters.py                # needs the extra `train`

Each, in a process of its own, fits all layers to the same activations: the share of neurons that
has to be selected to find 99 % of the activation mass of a tenth of the text that it has not
learned from, and what it takes. Layers alternate, so that a machine that others use is as slow for
one as for the other.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import flashlm
from flashlm.training import _fit
from flashlm.training._activations import ActivationStore, Part
from flashlm.training._text import cut

sys.path.insert(0, str(Path(__file__).parent))
from machine import write_result

MODEL = Path(__file__).parent.parent / "tests" / "models" / "tiny_opt"
RESULT = Path(__file__).parent / "results" / "fitters.json"


def peak_bytes() -> int:
    """The most memory that this process has had resident, the mapped activations included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def serve(pipe: Any, fitter: str, arguments: argparse.Namespace, layers: list[list[Part]]) -> None:
    """In a process: fits each layer that it is sent, until None comes; then tells its peak."""
    while (layer := pipe.recv()) is not None:
        learn, measured = layers[layer]
        begin = time.perf_counter()
        predictor = _fit.fit(
            learn,
            _fit.ranks(learn.x.shape[1])[0],
            fitter=fitter,
            epochs=arguments.epochs,
            seed=layer,
            dtype="q8_0",
            threads=arguments.threads,
        )
        seconds = time.perf_counter() - begin
        threshold = _fit.calibrate(predictor, measured, 0.99, 1)
        quality = _fit.measure(predictor, threshold, measured, 1)
        pipe.send(
            {
                "layer": layer,
                "fitter": fitter,
                "rank": predictor.rank,
                "seconds": seconds,
                "selected": quality.predicted,
                "mass_recall": quality.mass_recall,
                "recall": quality.recall,
            }
        )
    pipe.send(peak_bytes())


def compare(folder: Path, work: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each layer and fitter, and one for what each took."""
    text = (MODEL / "calibration.txt").read_text(encoding="utf-8")
    with flashlm.LanguageModel.from_pretrained(folder, memory="100%", selector="dense") as model:
        windows = cut(model.tokenizer, text, arguments.tokens, model.context)
        shapes: dict[int, tuple[int, int]] = {}
        model.collect(
            windows.train[0], lambda layer, x, h: shapes.update({layer: (x.shape[1], h.shape[1])})
        )
        store = ActivationStore(work, len(shapes), *shapes[0])
        for _ in store.add(model, [*windows.train, *windows.measure], 0):
            pass
    n = len(windows.train) * windows.length
    end = n + len(windows.measure) * windows.length
    layers = [[store.part(at, 0, n), store.part(at, n, end)] for at in range(len(shapes))]
    rows: list[dict[str, Any]] = []
    workers = []
    context = multiprocessing.get_context("fork")
    for fitter in _fit.FITTERS:
        ours, theirs = context.Pipe()
        worker = context.Process(target=serve, args=(theirs, fitter, arguments, layers))
        worker.start()
        workers.append((fitter, ours, worker))
    for layer in range(len(shapes)):
        for _, pipe, _ in workers if layer % 2 == 0 else reversed(workers):
            pipe.send(layer)
            rows.append(pipe.recv())
    for fitter, pipe, worker in workers:
        pipe.send(None)
        seconds = sum(row["seconds"] for row in rows if row["fitter"] == fitter)
        rows.append({"fitter": fitter, "seconds": seconds, "peak_bytes": pipe.recv()})
        worker.join()
    return rows


def main() -> None:
    """Run the benchmark and write its result file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=16384)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as parent:
        folder = flashlm.pack(MODEL, Path(parent) / "tiny_opt.flash", neurons_per_bundle=1)
        work = Path(parent) / "activations"
        work.mkdir()
        rows = compare(folder, work, arguments)
        for row in rows:
            print(row)
        write_result(
            arguments.output,
            folder,
            rows,
            model="tests/models/tiny_opt",
            text="calibration.txt",
            note="`selected` is the share of neurons at which 99 % of the activation mass is found, "
            "by a threshold set on the tokens that are measured; the extension is the release "
            "build; the seconds of layer 0 hold the import of torch",
        )


if __name__ == "__main__":
    main()

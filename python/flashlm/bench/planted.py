# SPDX-License-Identifier: Apache-2.0
"""planted.py: models of random weights whose neurons fire as those of real sparse models do.

What a neuron computes before its activation is a signal, which a low-rank predictor sees, and
noise, which it does not. A bias sets how often it fires: the rates of a layer are drawn from a beta
distribution, most of them near zero. Tokens belong to topics, and a text stays with a topic for a
while. Each layer adds little to what the embedding says, so that the input of every layer has the
distribution that the rates were computed for. Planted are the statistics of firing, fitted to those
of arXiv:2312.11514; bytes, times and memory are measured.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from flashlm import _core
from flashlm._core import ArgumentError
from flashlm._engine import checks
from flashlm._engine.checked_calls import checked
from flashlm.bench.synthetic import SyntheticWeight, synthetic_source
from flashlm.packing.formats.dtypes import QUANTISED, ROUNDED
from flashlm.packing.formats.weight import Weight
from flashlm.packing.sources.source import Source

# Of the neurons, on average over the layers, this share is predicted; the first layers have fewer,
# the last ones more.
PREDICTED = 0.10
_FIRST_LAYER, _LAST_LAYER = 0.5, 1.5
_BETA = 0.2  # the first parameter of the rates' distribution; the second follows from the mean
_FIRING = 0.4  # of the predicted neurons, about this share fires
_SIGNAL = 0.8  # of the variance before the activation, this share is what the predictor sees
_TOPIC = 0.2  # of the variance of an embedding, this share is its topic's
_TOPICS = 64
_RUN = 24  # tokens that a text stays with a topic, on average
_ADDED = 0.3  # the deviation of all that the layers add, of the embedding's
_CONSTANT = (
    1 / 8
)  # where a graph has no biases, embeddings begin with this, times the square root of their size

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Plan:
    """What is planted in one layer."""

    seed: int
    layer: int
    n_layers: int
    dim: int
    hidden_dim: int
    constant: float  # what the first input of the layer always is; 0 where there are biases

    @property
    def rank(self) -> int:
        """Of the signal, and of the predictor: as `flashlm train` begins."""
        return max(32, self.dim // 32 // 32 * 32)

    @cached_property
    def _random(self) -> tuple[Matrix, Matrix, npt.NDArray[np.float64]]:
        random = np.random.default_rng([self.seed, self.layer])
        reduce = random.standard_normal((self.rank, self.dim), np.float32) / np.float32(
            math.sqrt(self.dim)
        )
        expand = random.standard_normal((self.hidden_dim, self.rank), np.float32)
        expand *= np.float32(math.sqrt(_SIGNAL)) / np.linalg.norm(expand, axis=1, keepdims=True)
        place = self.layer / max(self.n_layers - 1, 1)
        mean = PREDICTED * (_FIRST_LAYER + place * (_LAST_LAYER - _FIRST_LAYER))
        rates = random.beta(_BETA, _BETA * (1 - mean) / mean, self.hidden_dim)
        if self.constant:
            reduce[:, 0] = 0
        return reduce, expand, np.clip(rates, 1e-7, 1 - 1e-3)

    @property
    def reduce(self) -> Matrix:
        """[rank, dim]: of the input, what the signal is made of."""
        return self._random[0]

    @property
    def expand(self) -> Matrix:
        """[hidden_dim, rank]: the signal of each neuron, with a share `_SIGNAL` of its variance."""
        return self._random[1]

    @cached_property
    def predictor_bias(self) -> Matrix:
        """[hidden_dim]: predicted is a neuron whose signal and this are above zero together."""
        return (_normal_quantiles(self._random[2]) * math.sqrt(_SIGNAL)).astype(np.float32)

    @cached_property
    def bias(self) -> Matrix:
        """[hidden_dim]: a neuron fires where signal, noise and this are above zero together."""
        return _normal_quantiles(_FIRING * self._random[2]).astype(np.float32)

    def predicted(self, x: Matrix) -> npt.NDArray[np.bool_]:
        """[n, hidden_dim]: which neurons are predicted for the inputs x [n, dim]."""
        return np.asarray(x @ self.reduce.T @ self.expand.T + self.predictor_bias > 0)


def _normal_quantiles(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    inverse = NormalDist().inv_cdf
    return np.array([inverse(share) for share in shares.tolist()])


@dataclass(frozen=True)
class PlantedWeight(SyntheticWeight):
    """The rows that decide whether a neuron fires, or their biases.

    They are those of the gate, or of up where there is no gate.
    """

    plan: Plan = field(default_factory=lambda: Plan(0, 0, 1, 32, 32, 0.0))

    def stored(self, begin: int, end: int) -> npt.NDArray[np.uint8]:
        """Signal, noise and, where there are no biases, the first column in place of them."""
        plan = self.plan
        if len(self.shape) == 1:
            return _as_bytes(plan.bias[None, :], self.kind)
        noise = self.numbers(begin, end)
        rows = plan.expand[begin:end] @ plan.reduce
        rows += noise
        if plan.constant:
            rows[:, 0] = plan.bias[begin:end] / np.float32(plan.constant)
        return _as_bytes(rows, self.kind)


@dataclass(frozen=True)
class TopicWeight(SyntheticWeight):
    """Embeddings: each the sum of its topic's and its own.

    The first number may be the same for all.
    """

    n_topics: int = _TOPICS
    constant: float = 0.0

    def stored(self, begin: int, end: int) -> npt.NDArray[np.uint8]:
        """Rows ``begin`` to ``end``."""
        rows = self.numbers(begin, end)
        topics = _topics(self.pool.seed, self.n_topics, self.n_columns)
        rows *= np.float32(math.sqrt(1 - _TOPIC))
        rows += np.float32(math.sqrt(_TOPIC)) * topics[np.arange(begin, end) % self.n_topics]
        if self.constant:
            rows[:, 0] = self.constant
        return _as_bytes(rows, self.kind)


@cache
def _topics(seed: int, n: int, dim: int) -> Matrix:
    return np.random.default_rng([seed, 1 << 20]).standard_normal((n, dim), np.float32)


def _as_bytes(rows: Matrix, kind: str) -> npt.NDArray[np.uint8]:
    if kind == "F32":
        return np.ascontiguousarray(rows).view(np.uint8)
    if kind == "F16":
        return np.ascontiguousarray(rows.astype(np.float16)).view(np.uint8)
    from gguf import GGMLQuantizationType
    from gguf.quants import quantize

    return np.ascontiguousarray(quantize(rows, GGMLQuantizationType[kind])).view(np.uint8)


@checked("bench")
def planted_source(shape: str | os.PathLike[str], dtype: str = "f16", seed: int = 0) -> Source:
    """A model with planted firing: OPT, or Llama's graph with a ReLU in place of SiLU.

    Args:
        shape: A name in `flashlm.bench.shapes.SHAPES`, or the path of a config.json.
        dtype: A number format without blocks: ``"f32"``, ``"f16"`` or ``"bf16"``.
        seed: Other weights for another seed.

    Raises:
        ArgumentError: Another shape or dtype.
        FormatError: The config is none that the engine runs.
    """
    plain = [name for name in ROUNDED if name not in QUANTISED]
    if dtype not in plain:
        raise ArgumentError(
            f"[bench] dtype: planted firing needs single neurons, hence {', '.join(plain)}; got "
            f"{dtype!r}"
        )
    source = synthetic_source(shape, dtype, _seed(seed), activation="relu")
    dim, n_layers = source.graph.dim, len(source.graph.layers)
    constant = 0.0 if source.graph.ffn.bias.up else _CONSTANT * math.sqrt(dim)
    plans = [
        Plan(seed, layer, n_layers, dim, source.graph.ffn.hidden, _first_input(constant, dim))
        for layer in range(n_layers)
    ]
    selecting = _selecting(source)
    weights: dict[str, Weight] = {}
    for name, weight in source.weights.items():
        assert isinstance(weight, SyntheticWeight)  # noqa: S101 - of this package
        weights[name] = _planted(name, weight, plans, selecting, constant)
    return replace(source, name=f"{source.name}, planted firing", weights=weights)


def _selecting(source: Source) -> str:
    """The matrix that decides whether a neuron fires."""
    return "gate" if source.graph.ffn.gated else "up"


def _seed(seed: int) -> int:
    return checks.whole(seed, "seed", where="bench", least=0, most=checks.MOST_64_BITS)


def _first_input(constant: float, dim: int) -> float:
    """The first number of a layer's input: the constant, as the norm leaves it."""
    return (
        constant / math.sqrt(1 + (constant * constant - 1) / dim + _ADDED * _ADDED / 2)
        if constant
        else 0.0
    )


def _planted(
    name: str, weight: SyntheticWeight, plans: Sequence[Plan], selecting: str, constant: float
) -> SyntheticWeight:
    part = name.rsplit(".", 1)[-1]
    base = {each.name: getattr(weight, each.name) for each in fields(weight)}
    if name == "embedding":
        return TopicWeight(**{**base, "deviation": 1.0}, constant=constant)
    if part in (selecting, f"{selecting}_bias"):
        plan = plans[int(name.split(".")[1])]
        return PlantedWeight(
            **{**base, "deviation": math.sqrt((1 - _SIGNAL) / plan.dim)}, plan=plan
        )
    if part == "ffn_norm":  # the input of the neurons has a deviation of 1
        return replace(weight, deviation=0.0, mean=1.0)
    if part.endswith("_bias") or name == "positions":
        return replace(weight, deviation=0.0 if part == "ffn_norm_bias" else 0.005, mean=0.0)
    if part in ("o", "down"):  # of the neurons one in 25 fires, so their sum is smaller
        size = _ADDED * (3 if part == "down" else 1) / math.sqrt(2 * len(plans))
        return replace(weight, deviation=size / math.sqrt(weight.n_columns))
    return weight


@checked("bench")
def plant_predictor(folder: Path, source: Source, *, hollow: bool = False) -> None:
    """Adds predictor.safetensors to a packed model with planted firing.

    It sees the signal and not the noise.

    Where only its size matters, `hollow` leaves holes in the place of its numbers.
    """
    from flashlm.training._predictor import Predictor
    from flashlm.training._store import FILE, write

    selecting = _selecting(source)
    layers = []
    for layer in range(len(source.graph.layers)):
        weight = source.weights[f"layers.{layer}.{selecting}"]
        assert isinstance(weight, PlantedWeight)  # noqa: S101 - of this package
        plan = weight.plan
        if hollow:
            shapes = (plan.rank, plan.dim), (plan.hidden_dim, plan.rank), plan.hidden_dim
            layers.append((Predictor(*(np.empty(shape, np.float32) for shape in shapes)), 0.0))
        else:
            layers.append((Predictor(plan.reduce, plan.expand, plan.predictor_bias), 0.0))
    write(folder / FILE, layers, "q8_0", _core.weights_fingerprint(folder), hollow=hollow)


@checked("bench")
def planted_text(source: Source, n: int, seed: int = 0) -> list[int]:
    """`n` token ids that stay with a topic for a while."""
    n = checks.whole(n, "n", where="bench", least=0, most=checks.MOST_32_BITS)
    random = np.random.default_rng([_seed(seed), 2])
    ids: list[int] = []
    while len(ids) < n:
        run, topic = int(random.geometric(1 / _RUN)), int(random.integers(_TOPICS))
        ids += (
            random.integers(0, source.graph.vocab_size // _TOPICS, run) * _TOPICS + topic
        ).tolist()
    return ids[:n]


@checked("bench")
def aggregated_windows(source: Source, ids: Sequence[int], longest: int = 10) -> dict[str, Any]:
    """What is planted, computed from the embeddings of a text, over some layers.

    Returns:
        ``predicted``: the share of a layer's neurons that is predicted for a token, on average;
        ``windows``: the share that the last 1, 2, ... tokens have in common or apart (the paper's
        aggregated usage); ``new``: the share that a token adds to each of these windows.
    """
    longest = checks.whole(longest, "longest", where="bench", least=1, most=max(len(ids) - 1, 1))
    if len(ids) <= longest:
        checks.refuse("bench", "ids", f"more than {longest}", ids)
    n_layers = len(source.graph.layers)
    for index, token in enumerate(ids):
        checks.whole(
            token, f"ids[{index}]", where="bench", least=0, most=source.graph.vocab_size - 1
        )
    selecting = _selecting(source)
    x = np.concatenate([source.weights["embedding"].rows(i, i + 1, "f32") for i in ids])
    x = (x / np.sqrt(np.mean(np.square(x), axis=1, keepdims=True))).astype(np.float32)
    layers = sorted({0, n_layers // 2, n_layers - 1})
    windows = np.zeros((len(layers), longest + 1))
    for row, layer in enumerate(layers):
        weight = source.weights[f"layers.{layer}.{selecting}"]
        assert isinstance(weight, PlantedWeight)  # noqa: S101 - of this package
        chosen = weight.plan.predicted(x)
        for size in range(1, longest + 2):
            unions = [chosen[i : i + size].any(axis=0).mean() for i in range(len(ids) - longest)]
            windows[row, size - 1] = np.mean(unions)
    mean = windows.mean(axis=0)
    return {
        "layers": {str(layer): float(windows[row, 0]) for row, layer in enumerate(layers)},
        "predicted": float(mean[0]),
        "windows": mean[:longest].tolist(),
        "new": np.diff(mean).tolist(),
    }

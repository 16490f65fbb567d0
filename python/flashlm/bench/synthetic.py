# SPDX-License-Identifier: Apache-2.0
"""synthetic.py: models of random weights, made as fast as a disk writes.

A tensor is a pool of a few million random numbers, repeated, from a place that depends on its name
and on the seed. The pool's length in blocks of 32 is a prime, so that no row comes twice within a
matrix. Weights are scaled so that activations neither vanish nor grow with the depth. The same
shape, dtype and seed always give the same weights.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flashlm import _core
from flashlm._core import ArgumentError, FormatError
from flashlm._engine import checks
from flashlm._engine.checked_calls import checked
from flashlm.bench.shapes import shape_config
from flashlm.packing.formats.dtypes import FORMATS, NATIVE, ROUNDED
from flashlm.packing.formats.weight import Loss, Weight, numpy_dtype
from flashlm.packing.graph.tensors import tensors_of
from flashlm.packing.options import Options
from flashlm.packing.sources.huggingface import graph_of_config
from flashlm.packing.sources.source import Progress, Source
from flashlm.packing.tokenizers.pre_tokenizers import byte_level
from flashlm.packing.tokenizers.tokenizer import bpe_document, byte_characters
from flashlm.packing.tokenizers.tokens import Tokens
from flashlm.packing.writer import write_folder

# Numbers of the pool that stay together; of a format of longer blocks, as many as a block has
_RUN = 32
_POOL_RUNS = 131071  # a prime: 4 million numbers


class Pool:
    """Random numbers of mean 0 and deviation 1, in any number format and scale."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._formats: dict[tuple[str, float, float], npt.NDArray[np.uint8]] = {}

    @cached_property
    def _numbers(self) -> npt.NDArray[np.float32]:
        return np.random.default_rng(self.seed).standard_normal((_POOL_RUNS, _RUN), np.float32)

    def blocks(self, dtype: str, deviation: float, mean: float) -> npt.NDArray[np.uint8]:
        """The pool as bytes in a number format, as many runs of it as are whole."""
        key = (dtype, deviation, mean)
        if key not in self._formats:
            numbers = self._numbers.reshape(-1)[: _runs(dtype) * _run(dtype)].reshape(
                -1, _run(dtype)
            )
            scaled = numbers * np.float32(deviation) + np.float32(mean)
            stored = _core.requantise(scaled, "f32", dtype)[0]
            self._formats[key] = np.ascontiguousarray(stored).view(np.uint8).reshape(-1)
        return self._formats[key]


def _run(dtype: str) -> int:
    """Numbers of a run in a number format: whole blocks."""
    return max(_RUN, FORMATS[dtype].numbers)


def _runs(dtype: str) -> int:
    """Runs of the pool in a number format."""
    return _POOL_RUNS * _RUN // _run(dtype)


@dataclass(frozen=True)
class SyntheticWeight(Weight):
    """A tensor that is in no file."""

    pool: Pool = field(default_factory=lambda: Pool(0))
    deviation: float = 1.0
    mean: float = 0.0

    def stored(self, begin: int, end: int) -> npt.NDArray[np.uint8]:
        """Rows ``begin`` to ``end`` in the number format `kind`: [end - begin, row_bytes]."""
        pool = self.pool.blocks(NATIVE[self.kind], self.deviation, self.mean)
        return _cut(
            pool, self.offset + begin * self.row_bytes, (end - begin) * self.row_bytes
        ).reshape(end - begin, self.row_bytes)

    def numbers(self, begin: int, end: int) -> npt.NDArray[np.float32]:
        """Rows ``begin`` to ``end`` of the pool, before rounding: [end - begin, n_columns]."""
        dtype = NATIVE[self.kind]
        pool = self.pool.blocks("f32", self.deviation, self.mean)[: 4 * _runs(dtype) * _run(dtype)]
        place = self.offset // _core.row_bytes(dtype, _run(dtype)) * 4 * _run(dtype)
        cut = _cut(pool, place + 4 * begin * self.n_columns, 4 * (end - begin) * self.n_columns)
        return cut.view(np.float32).reshape(end - begin, self.n_columns)

    def rows(self, begin: int, end: int, dtype: str, loss: Loss | None = None) -> npt.NDArray[Any]:
        """As of any weight, without looking for numbers that are not finite: here are none."""
        if NATIVE[self.kind] == dtype:
            return self.stored(begin, end).view(numpy_dtype(dtype))
        return super().rows(begin, end, dtype, loss)


def _cut(pool: npt.NDArray[np.uint8], place: int, size: int) -> npt.NDArray[np.uint8]:
    """`size` bytes of the pool repeated without end, from byte `place`."""
    result = np.empty(size, np.uint8)
    place %= pool.size
    done = 0
    while done < size:
        run = min(size - done, pool.size - place)
        result[done : done + run] = pool[place : place + run]
        done, place = done + run, 0
    return result


@checked("bench")
def synthetic_source(
    shape: str | os.PathLike[str], dtype: str = "f16", seed: int = 0, activation: str | None = None
) -> Source:
    """A model of random weights as a source, which can be packed like any other.

    Args:
        shape: A name in `flashlm.bench.shapes.SHAPES`, or the path of a config.json.
        dtype: The name of a number format (``"f32"``, ``"f16"``, ``"q8_0"``, ...), for all
            matrices.
        seed: Other weights for another seed.
        activation: Of a Llama shape, in place of SiLU: ``"relu"``.

    Raises:
        ArgumentError: Another shape or dtype; rows that the dtype's blocks do not fill.
        FormatError: The config is none that the engine runs.
    """
    seed = checks.whole(seed, "seed", where="bench", least=0, most=checks.MOST_64_BITS)
    if dtype not in ROUNDED:
        raise ArgumentError(f"[bench] dtype: expected {', '.join(ROUNDED)}, got {dtype!r}")
    name, config = shape_config(shape)
    if activation is not None and config.get("hidden_act") == "silu":
        config["hidden_act"] = activation
    family, graph = graph_of_config(config, Path(shape))
    tensors = tensors_of(graph, Path(shape))
    pool = Pool(seed)
    weights: dict[str, Weight] = {}
    for tensor, tensor_shape, _, _ in tensors:
        held = dtype if len(tensor_shape) > 1 else "f32"
        if tensor_shape[-1] % FORMATS[held].numbers:
            raise ArgumentError(
                f"[bench] dtype: {dtype} needs rows of a multiple of {FORMATS[held].numbers} "
                f"numbers, got "
                f"{tensor_shape[-1]} ({tensor})"
            )
        deviation, mean = _scale(tensor, tensor_shape, len(graph.layers))
        digest = hashlib.sha256(f"{seed} {tensor}".encode()).digest()
        weights[tensor] = SyntheticWeight(
            name=tensor,
            file=Path(name),
            kind=FORMATS[held].gguf_name,
            shape=tensor_shape,
            offset=int.from_bytes(digest[:8], "little")
            % _runs(held)
            * _core.row_bytes(held, _run(held)),
            row_bytes=_core.row_bytes(held, tensor_shape[-1]),
            pool=pool,
            deviation=deviation,
            mean=mean,
        )
    return Source(
        kind="synthetic",
        name=f"{name}, random weights, seed {seed}",
        family=family.name,
        graph=graph,
        tokens=Tokens(),
        tensors=tensors,
        weights=weights,
        small_files={
            "config.json": _json(config),
            "generation_config.json": b"{}\n",
            "tokenizer.json": _json(byte_tokenizer(graph.vocab_size)),
        },
        weight_files=(),
        header_sha256={},
    )


@checked("bench")
def synthesize(
    shape: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    dtype: str = "f16",
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Writes a packed model of random weights, with checksums.

    Its text is meaningless; its bytes and times are not.

    Args:
        shape: A name in `flashlm.bench.shapes.SHAPES`, or the path of a config.json.
        folder: Where to; must not exist.
        dtype: The name of a number format (``"f32"``, ``"f16"``, ``"q8_0"``, ...), for all
            matrices.
        seed: Other weights for another seed.
        progress: Called as ``progress("pack", done, total)``, in bytes.

    Returns:
        The folder.

    Raises:
        ArgumentError: Another shape or dtype.
        IoError: The folder exists, or the disk is full.

    Example:
        >>> folder = flashlm.bench.synthesize("tiny/config.json", "random.flash")
        >>> lm = flashlm.LanguageModel.from_pretrained(folder)
        >>> lm.generate("The moon", max_new_tokens=1) != ""
        True
    """
    source = synthetic_source(shape, dtype, seed)
    return write_folder(
        source,
        checks.new_path(folder, "folder", where="bench"),
        Options.resolve(source, "source", "auto"),
        progress,
    )


@checked("bench")
def byte_tokenizer(vocab_size: int) -> dict[str, object]:
    """A tokenizer.json of the 256 bytes, one merge, and words that no text is cut into.

    Raises:
        FormatError: `vocab_size` is below 257.
    """
    words = vocabulary(vocab_size)
    level = byte_level(use_regex=True)
    vocab = {word: index for index, word in enumerate(words)}
    return bpe_document(
        vocab, [[words[256][0], words[256][1]]], {}, pre_tokenizer=level, post_processor=level
    )


@checked("bench")
def vocabulary(vocab_size: int) -> list[str]:
    """The words of `byte_tokenizer`, by id, in GPT-2's characters for bytes.

    Word 256 is a merge of two bytes.
    """
    checks.whole(vocab_size, "vocab_size", where="bench", most=checks.MOST_32_BITS)
    if vocab_size <= 256:  # noqa: PLR2004 - bytes
        raise FormatError(
            f"[bench] vocab_size: expected at least 257 (the bytes and a merge), got {vocab_size}"
        )
    fillers = (
        "".join(letters)
        for n in itertools.count(2)
        for letters in itertools.product(string.ascii_lowercase, repeat=n)
    )
    return [*byte_characters(), *itertools.islice(fillers, vocab_size - 256)]


def _scale(name: str, shape: tuple[int, ...], n_layers: int) -> tuple[float, float]:
    """Deviation and mean of a tensor's numbers.

    Products deviate by about 1, and so does the sum of all layers.
    """
    if len(shape) == 1:
        return (0.02, 0.0) if name.endswith("bias") else (0.1, 1.0)
    deviation = 1 / math.sqrt(shape[-1])
    return (
        deviation / math.sqrt(2 * n_layers) if name.endswith((".o", ".down")) else deviation
    ), 0.0


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode()

# SPDX-License-Identifier: Apache-2.0
"""gguf_metadata.py: the metadata of a GGUF that shape its graph.

They are the keys below the name of its architecture.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from flashlm._core import FormatError
from flashlm._engine.files import read_exactly
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.gguf_header import GgufHeader, GgufTensor
from flashlm.packing.graph import (
    Rope,
    default_frequencies,
    linear_frequencies,
    rope,
    yarn_attention_factor,
    yarn_frequencies,
)

ROPE_FACTORS = "rope_freqs.weight"  # what each rope frequency is divided by
EMBEDDING, HEAD = "token_embd.weight", "output.weight"


class Metadata(Fields):
    """The keys `ARCHITECTURE.*` of a GGUF, without that prefix, and its tensors."""

    harmless = frozenset({"attention.causal", "rope.scaling.finetuned", "tensor_data_layout"})
    must_be_off: Mapping[str, tuple[object, ...]] = {
        "expert_count": (0,),
        "expert_used_count": (0,),
    }

    def __init__(self, header: GgufHeader, architecture: str) -> None:
        prefix = f"{architecture}."
        values = {
            key.removeprefix(prefix): value
            for key, value in header.metadata.items()
            if key.startswith(prefix)
        }
        super().__init__(values, header.path, where="gguf", kind="metadata", prefix=prefix)
        self.tensors: Mapping[str, GgufTensor] = header.tensors

    @property
    def tied(self) -> bool:
        """Whether embedding and head are one tensor."""
        return (EMBEDDING in self.tensors) != (HEAD in self.tensors)

    @property
    def n_rows(self) -> int | None:
        """Rows of the embedding.

        The tokenizer may have more tokens, which the model can neither take nor write.
        """
        tensor = self.tensors.get(EMBEDDING) or self.tensors.get(HEAD)
        return tensor.shape[0] if tensor is not None else None

    def rotary(self, head_dim: int, key: str = "rope.dimension_count", default: float = 1.0) -> int:
        """How many numbers of a head turn.

        The default is the fraction of files that do not say it.
        """
        dims = self.count(key, int(head_dim * default), most=head_dim)
        if dims % 2:
            raise self.error(f"expected {self._prefix}{key} to be even, got {dims}")
        return dims

    def rope(self, dims: int, theta: float = 10000.0) -> Rope:
        """Rotary positions: the base, a factor for all frequencies, a tensor of one for each."""
        if self.count("rope.dimension_count", dims) != dims:
            raise self.error(
                f"expected {self._prefix}rope.dimension_count = {dims} (the head size), got "
                f"{self.get('rope.dimension_count')!r:.80}"
            )
        frequencies = default_frequencies(dims, self.number("rope.freq_base", theta))
        kind = self.word("rope.scaling.type", "none", ("none", "linear", "yarn"))
        older = self.get(
            "rope.scale_linear"
        )  # older files' word for the factor, which needs no type
        self.ignore("rope.scaling.factor", "rope.scaling.original_context_length")
        if kind == "linear" or (older is not None and older != 1):
            key = (
                "rope.scale_linear"
                if self.get("rope.scaling.factor") is None
                else "rope.scaling.factor"
            )
            frequencies = linear_frequencies(frequencies, self.number(key))
        if kind == "yarn":
            return self._gguf_yarn(dims, frequencies)
        factors = self._factors(dims // 2)
        if factors is not None:
            if kind == "linear":
                raise self._tensor_error("rope factors beside rope.scaling.type are not supported")
            frequencies = [each / factor for each, factor in zip(frequencies, factors, strict=True)]
        return rope(dims, frequencies)

    def _gguf_yarn(self, dims: int, frequencies: list[float]) -> Rope:
        if ROPE_FACTORS in self.tensors:
            raise self._tensor_error("rope factors beside rope.scaling.type are not supported")
        factor = self.number("rope.scaling.factor")
        slowed = yarn_frequencies(
            frequencies,
            self.number("rope.freq_base", 10000.0),
            factor,
            self.number("rope.scaling.original_context_length"),
            fast=self.number("rope.scaling.yarn_beta_fast", 32.0),
            slow=self.number("rope.scaling.yarn_beta_slow", 1.0),
        )
        return rope(
            dims,
            slowed,
            yarn_attention_factor(factor) * self.number("rope.scaling.attn_factor", 1.0),
        )

    def _factors(self, count: int) -> list[float] | None:
        tensor = self.tensors.get(ROPE_FACTORS)
        if tensor is None:
            return None
        if tensor.kind != "F32" or tensor.shape != (count,):
            raise self._tensor_error(
                f"expected F32 [{count}], got {tensor.kind} {list(tensor.shape)}"
            )
        factors = np.frombuffer(
            read_exactly(tensor.file, tensor.offset, tensor.n_bytes), "<f4"
        ).astype(np.float64)
        if not (np.isfinite(factors) & (factors > 0)).all():
            raise self._tensor_error("expected factors above 0, got another")
        return [float(each) for each in factors]

    def _tensor_error(self, message: str) -> FormatError:
        return FormatError(f"[gguf] rope: {message} ({self.path}, {ROPE_FACTORS})")

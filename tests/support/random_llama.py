# SPDX-License-Identifier: Apache-2.0
"""random_llama.py: small Llama models whose weights come from a formula, so that no weights are committed.

The number at place `i` of a tensor is a function of the case's seed, the tensor's name and `i`
alone: the raw 64-bit output of PCG64 (a stream that numpy promises to keep), its upper 24 bits read
as a fraction in [-1, 1), times a scale that keeps activations near 1. The goldens in `tests/golden`
hold the logits that transformers computes from them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byte_level

FloatArray = npt.NDArray[np.float32]

BEGIN_OF_TEXT = "<|begin|>"
END_OF_TEXT = "<|end|>"


@dataclass(frozen=True)
class Case:
    """One small model: its config in Hugging Face words and how its weights are rounded."""

    name: str
    seed: int
    dim: int = 64
    hidden_dim: int = 96
    n_layers: int = 2
    n_heads: int = 4
    n_kv_heads: int = 2
    head_dim: int | None = None
    vocab_size: int = 101
    context: int = 128
    epsilon: float = 1e-5
    rope_theta: float = 10000.0
    rope_scaling: Mapping[str, Any] | None = None
    tied: bool = False
    activation: str = "silu"
    threshold: float | None = None  # of fatrelu
    rounded: bool = True  # every weight is an f16 number, so that an f16 folder holds it exactly
    tokens: tuple[int, ...] = field(default=(1, 17, 42, 100, 0, 63, 5, 5, 98, 7, 31, 64))

    @property
    def actual_head_dim(self) -> int:
        """The head size that the engine uses."""
        return self.dim // self.n_heads if self.head_dim is None else self.head_dim


CASES: tuple[Case, ...] = (
    Case("grouped", seed=1),
    Case("tied", seed=2, tied=True, n_kv_heads=4),
    Case(
        "head_dim", seed=3, dim=48, n_heads=3, n_kv_heads=1, head_dim=32, hidden_dim=37, n_layers=3
    ),
    Case(
        "odd",
        seed=4,
        dim=36,
        n_heads=6,
        n_kv_heads=3,
        hidden_dim=101,
        n_layers=1,
        epsilon=1e-6,
        rounded=False,
    ),
    Case(
        "llama3_rope",
        seed=5,
        n_heads=2,
        n_kv_heads=1,
        rope_theta=500000.0,
        context=256,
        rope_scaling={
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        },
    ),
    Case(
        "linear_rope",
        seed=6,
        hidden_dim=64,
        rope_scaling={"rope_type": "linear", "factor": 2.5},
        tied=True,
    ),
)


# The same graph with the activations that make zeros; golden values in small_sparse.json.
SPARSE_CASES: tuple[Case, ...] = (
    Case("relu", seed=11, activation="relu"),
    Case("relu2", seed=12, activation="relu2", hidden_dim=37, n_layers=1, tied=True),
    Case("fatrelu", seed=13, activation="fatrelu", threshold=0.25, n_kv_heads=4, rounded=False),
)


def case(name: str) -> Case:
    """The case of that name."""
    return next(c for c in CASES + SPARSE_CASES if c.name == name)


def config(c: Case) -> dict[str, Any]:
    """The case's config.json."""
    result: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": c.dim,
        "intermediate_size": c.hidden_dim,
        "num_hidden_layers": c.n_layers,
        "num_attention_heads": c.n_heads,
        "num_key_value_heads": c.n_kv_heads,
        "vocab_size": c.vocab_size,
        "max_position_embeddings": c.context,
        "rms_norm_eps": c.epsilon,
        "rope_theta": c.rope_theta,
        "rope_scaling": None if c.rope_scaling is None else dict(c.rope_scaling),
        "tie_word_embeddings": c.tied,
        "hidden_act": c.activation,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": c.vocab_size - 2,
        "eos_token_id": c.vocab_size - 1,
    }
    if c.threshold is not None:
        result["hidden_act_param"] = c.threshold
    if c.head_dim is not None:
        result["head_dim"] = c.head_dim
    return result


def shapes(c: Case) -> dict[str, tuple[int, ...]]:
    """Tensor name in Hugging Face form -> shape."""
    query, key = c.n_heads * c.actual_head_dim, c.n_kv_heads * c.actual_head_dim
    result: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (c.vocab_size, c.dim)}
    for layer in range(c.n_layers):
        prefix = f"model.layers.{layer}."
        result |= {
            prefix + "input_layernorm.weight": (c.dim,),
            prefix + "self_attn.q_proj.weight": (query, c.dim),
            prefix + "self_attn.k_proj.weight": (key, c.dim),
            prefix + "self_attn.v_proj.weight": (key, c.dim),
            prefix + "self_attn.o_proj.weight": (c.dim, query),
            prefix + "post_attention_layernorm.weight": (c.dim,),
            prefix + "mlp.gate_proj.weight": (c.hidden_dim, c.dim),
            prefix + "mlp.up_proj.weight": (c.hidden_dim, c.dim),
            prefix + "mlp.down_proj.weight": (c.dim, c.hidden_dim),
        }
    result["model.norm.weight"] = (c.dim,)
    if not c.tied:
        result["lm_head.weight"] = (c.vocab_size, c.dim)
    return result


def fractions(seed: int, name: str, n: int) -> FloatArray:
    """`n` numbers in [-1, 1), a function of `seed` and `name`."""
    raw = np.random.PCG64([seed, zlib.crc32(name.encode())]).random_raw(n)
    return (
        (np.asarray(raw, np.uint64) >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0
    ).astype(np.float32)


def weights(c: Case) -> dict[str, FloatArray]:
    """All tensors of the case, float32, in Hugging Face form."""
    result: dict[str, FloatArray] = {}
    for name, shape in shapes(c).items():
        numbers = fractions(c.seed, name, int(np.prod(shape))).reshape(shape)
        if len(shape) == 1:
            numbers = np.float32(1.0) + np.float32(0.25) * numbers
        elif name in {"model.embed_tokens.weight", "lm_head.weight"}:
            numbers = numbers * np.float32(0.5)
        else:
            numbers = numbers * np.float32(2.0 / np.sqrt(shape[1]))
        result[name] = numbers.astype(np.float16).astype(np.float32) if c.rounded else numbers
    return result


def tokenizer() -> dict[str, Any]:
    """A byte-level BPE tokenizer.json of 101 tokens: printable ASCII, space, newline, three merges, two specials."""
    words = [chr(c) for c in range(ord("!"), ord("~") + 1)] + ["Ġ", "Ċ", "th", "Ġt", "Ġth"]
    specials = [BEGIN_OF_TEXT, END_OF_TEXT]
    return byte_level.tokenizer(words + specials, specials, ["t h", "Ġ t", "Ġt h"])


def write_folder(c: Case, folder: Path, dtype: str = "f32", shards: int = 1) -> Path:
    """Writes the case as a Hugging Face folder with the `safetensors` package.

    `dtype` is f32, f16 or bf16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(c), indent=2))
    (folder / "tokenizer.json").write_text(
        json.dumps(tokenizer(), ensure_ascii=False), encoding="utf-8"
    )
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": c.vocab_size - 1}))
    names = list(shapes(c))
    if shards == 1:
        (folder / "model.safetensors").write_bytes(safetensors_bytes(c, names, dtype))
        return folder
    index: dict[str, str] = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        (folder / file).write_bytes(safetensors_bytes(c, names[shard::shards], dtype))
        index |= dict.fromkeys(names[shard::shards], file)
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": index})
    )
    return folder


def safetensors_bytes(c: Case, names: list[str], dtype: str = "f32") -> bytes:
    """The named tensors as one safetensors file, written by the `safetensors` package."""
    from safetensors import TensorSpec, serialize

    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, array in weights(c).items():
        if name in names:
            kinds: dict[str, npt.NDArray[Any]] = {"f32": array, "f16": array.astype(np.float16)}
            arrays[name] = np.ascontiguousarray(
                bf16_bits(array) if dtype == "bf16" else kinds[dtype]
            )
    tag = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}[dtype]
    specs = {
        name: TensorSpec(
            dtype=tag, shape=list(array.shape), data_ptr=array.ctypes.data, data_len=array.nbytes
        )
        for name, array in arrays.items()
    }
    return bytes(serialize(specs, None))


def bf16_bits(array: FloatArray) -> npt.NDArray[np.uint16]:
    """float32 -> bfloat16 bits, cut off (the numbers need not be near, only known)."""
    return (np.ascontiguousarray(array).view(np.uint32) >> np.uint32(16)).astype(np.uint16)


def from_bf16_bits(bits: npt.NDArray[np.uint16]) -> FloatArray:
    """bfloat16 bits -> float32, exactly."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)

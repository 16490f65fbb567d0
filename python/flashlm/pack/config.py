# SPDX-License-Identifier: Apache-2.0
"""config.py: the Llama configuration, read strictly: what the engine would ignore is refused by name."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashlm._core import FormatError

ARCHITECTURE = "LlamaForCausalLM"

# Key -> values that mean "not used". Anything else changes the graph in a way that the engine does not know.
_MUST_BE_OFF: dict[str, tuple[object, ...]] = {
    "attention_bias": (False, None),
    "attention_out_bias": (False, None),
    "mlp_bias": (False, None),
    "quantization_config": (None,),
    "rope_interleaved": (False, None),
    "sliding_window": (None,),
    "use_qk_norm": (False, None),
    "qk_layernorm": (False, None),
    "auto_map": (None,),
    "hidden_act": ("silu",),
    "pretraining_tp": (1, None),
    "partial_rotary_factor": (1, None),
}
_ROPE_TYPES: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
}
_MAX_COUNT = 1 << 31


@dataclass(frozen=True)
class LlamaConfig:
    """The sizes of a Llama model, in the words of the engine."""

    dim: int
    hidden_dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    vocab_size: int
    tied: bool

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name (flashlm's) and shape of each tensor; the feed-forward ones are `layers.N.gate`, `.up`, `.down`.

        One after the other, because a foreign file may claim any number of layers.
        """
        query, key = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        yield "embedding", (self.vocab_size, self.dim)
        yield "final_norm", (self.dim,)
        if not self.tied:
            yield "head", (self.vocab_size, self.dim)
        for layer in range(self.n_layers):
            yield f"layers.{layer}.attention_norm", (self.dim,)
            yield f"layers.{layer}.q", (query, self.dim)
            yield f"layers.{layer}.k", (key, self.dim)
            yield f"layers.{layer}.v", (key, self.dim)
            yield f"layers.{layer}.o", (self.dim, query)
            yield f"layers.{layer}.ffn_norm", (self.dim,)
            yield f"layers.{layer}.gate", (self.hidden_dim, self.dim)
            yield f"layers.{layer}.up", (self.hidden_dim, self.dim)
            yield f"layers.{layer}.down", (self.dim, self.hidden_dim)


def parse_config(config: Mapping[str, Any], path: Path) -> LlamaConfig:
    """Checks a config.json of the Llama architecture.

    Args:
        config: The parsed file.
        path: Where it is from, for messages.

    Returns:
        The sizes.

    Raises:
        FormatError: Another architecture, a feature that the engine does not have, or a size that makes no sense.

    Example:
        >>> from pathlib import Path
        >>> parse_config({"architectures": ["GPT2LMHeadModel"]}, Path("config.json"))
        Traceback (most recent call last):
        ...
        flashlm.FormatError: [pack] architecture: expected LlamaForCausalLM, got GPT2LMHeadModel (config.json)
    """
    _check_architecture(config, path)
    for key, allowed in _MUST_BE_OFF.items():
        if key in config and config[key] not in allowed:
            raise FormatError(
                f"[pack] config: {key} = {_brief(config[key])} is not supported, expected {allowed[0]!r} ({path})"
            )
    _check_rope(config, path)
    dim = _count(config, "hidden_size", path)
    n_heads = _count(config, "num_attention_heads", path)
    n_kv_heads = _count(config, "num_key_value_heads", path, default=n_heads)
    if n_heads % n_kv_heads:
        raise FormatError(
            f"[pack] config: expected num_attention_heads to be a multiple of num_key_value_heads, "
            f"got {n_heads} and {n_kv_heads} ({path})"
        )
    if config.get("head_dim") is None and dim % n_heads:
        raise FormatError(
            f"[pack] config: expected hidden_size to be a multiple of num_attention_heads, got {dim} and {n_heads} "
            f"({path})"
        )
    head_dim = _count(config, "head_dim", path, default=dim // n_heads)
    if head_dim % 2:
        raise FormatError(f"[pack] config: expected an even head_dim, got {head_dim} ({path})")
    _number(config, "rms_norm_eps", path)
    _count(config, "max_position_embeddings", path)
    tied = config.get("tie_word_embeddings", False)
    if not isinstance(tied, bool):
        raise FormatError(f"[pack] config: expected tie_word_embeddings to be true or false, got {tied!r} ({path})")
    return LlamaConfig(
        dim=dim,
        hidden_dim=_count(config, "intermediate_size", path),
        n_layers=_count(config, "num_hidden_layers", path),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_dim=head_dim,
        vocab_size=_count(config, "vocab_size", path),
        tied=tied,
    )


def _check_architecture(config: Mapping[str, Any], path: Path) -> None:
    names = config.get("architectures")
    if names is None and "model_type" not in config:
        raise FormatError(f"[pack] architecture: expected {ARCHITECTURE}, the file names none ({path})")
    if names is not None and names != [ARCHITECTURE]:
        got = ", ".join(map(str, names)) if isinstance(names, list) else _brief(names)
        raise FormatError(f"[pack] architecture: expected {ARCHITECTURE}, got {got} ({path})")
    if config.get("model_type", "llama") != "llama":
        raise FormatError(
            f"[pack] architecture: expected model_type llama, got {_brief(config['model_type'])} ({path})"
        )


def _check_rope(config: Mapping[str, Any], path: Path) -> None:
    """Both forms: rope_theta and rope_scaling, and transformers 5's rope_parameters that holds both."""
    parameters = config.get("rope_parameters")
    for key in ("rope_scaling", "rope_parameters"):
        rope = config.get(key)
        if rope is None:
            continue
        if not isinstance(rope, dict):
            raise FormatError(f"[pack] config: expected {key} to be an object, got {_brief(rope)} ({path})")
        rope_type = rope.get("rope_type", rope.get("type", "default"))
        if rope_type not in _ROPE_TYPES:
            raise FormatError(
                f"[pack] config: rope type {_brief(rope_type)} is not supported, expected one of "
                f"{', '.join(_ROPE_TYPES)} ({path})"
            )
        if rope.get("partial_rotary_factor", 1) not in (1, None):
            raise FormatError(f"[pack] config: a partial_rotary_factor in {key} is not supported ({path})")
        for name in _ROPE_TYPES[rope_type]:
            _number(rope, name, path)
    holder = parameters if isinstance(parameters, dict) and "rope_theta" in parameters else config
    if "rope_theta" in holder:
        _number(holder, "rope_theta", path)


def _count(config: Mapping[str, Any], key: str, path: Path, default: int | None = None) -> int:
    value = config.get(key)
    if value is None and default is not None:
        value = default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _MAX_COUNT:
        raise FormatError(f"[pack] config: expected {key} to be a positive whole number, got {_brief(value)} ({path})")
    return value


def _number(config: Mapping[str, Any], key: str, path: Path) -> float:
    value = config.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        raise FormatError(f"[pack] config: expected {key} to be a positive number, got {_brief(value)} ({path})")
    return float(value)


def _brief(value: object) -> str:
    return reprlib.repr(value)

# SPDX-License-Identifier: Apache-2.0
"""config.py: the config of a model, read strictly: what the engine would ignore is refused by name."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashlm._core import FormatError

ARCHITECTURE = "LlamaForCausalLM"
_OPT = "OPTForCausalLM"
# model_type -> the architecture of Hugging Face. ProSparse's is Llama's graph with FATReLU.
_ARCHITECTURES = {"llama": ARCHITECTURE, "sparsellama": "SparseLlamaForCausalLM", "opt": _OPT}

RUNS = (
    "What runs are llama (Llama 3, SmolLM2 and their like) as GGUF, and LlamaForCausalLM, SparseLlamaForCausalLM and "
    "OPTForCausalLM as Hugging Face folders, all with a byte-level BPE tokenizer."
)

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
    "pretraining_tp": (1, None),
    "partial_rotary_factor": (1, None),
}
_MUST_BE_OFF_IN_OPT: dict[str, tuple[object, ...]] = {
    "_remove_final_layer_norm": (False, None),
    "layer_norm_elementwise_affine": (True, None),
    "activation_function": ("relu", None),
    "quantization_config": (None,),
    "auto_map": (None,),
}
_ACTIVATIONS = {"silu": False, "relu": True, "relu2": True, "fatrelu": True}  # whether they make zeros
_ROPE_TYPES: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
}
_MAX_COUNT = 1 << 31
_POSITION_OFFSET = 2  # rows before that of the first position, in OPT


@dataclass(frozen=True)
class ModelConfig:
    """The sizes of a model and the variants of its graph, in the words of the engine."""

    architecture: str  # "llama" or "opt"
    dim: int
    hidden_dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    vocab_size: int
    tied: bool
    activation: str = "silu"
    gated: bool = True
    biases: bool = False  # of attention and feed-forward network
    norm_bias: bool = False
    n_positions: int = 0  # rows of learned positions

    @property
    def is_sparse(self) -> bool:
        """Whether the activation makes zeros, so that single neurons are worth reading."""
        return _ACTIVATIONS[self.activation]

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name (flashlm's) and shape of each tensor; the feed-forward ones are `layers.N.gate`, `.up`, `.down`.

        One after the other, because a foreign file may claim any number of layers.
        """
        yield "embedding", (self.vocab_size, self.dim)
        if self.n_positions:
            yield "positions", (self.n_positions, self.dim)
        yield from self._norm("final_norm")
        if not self.tied:
            yield "head", (self.vocab_size, self.dim)
        for layer in range(self.n_layers):
            yield from self._layer(f"layers.{layer}.")

    def _norm(self, name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield name, (self.dim,)
        if self.norm_bias:
            yield f"{name}_bias", (self.dim,)

    def _layer(self, prefix: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        query, key = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        yield from self._norm(f"{prefix}attention_norm")
        for name, rows, columns in (
            ("q", query, self.dim),
            ("k", key, self.dim),
            ("v", key, self.dim),
            ("o", self.dim, query),
        ):
            yield prefix + name, (rows, columns)
            if self.biases:
                yield f"{prefix}{name}_bias", (rows,)
        yield from self._norm(f"{prefix}ffn_norm")
        if self.gated:
            yield f"{prefix}gate", (self.hidden_dim, self.dim)
        yield f"{prefix}up", (self.hidden_dim, self.dim)
        yield f"{prefix}down", (self.dim, self.hidden_dim)
        if self.biases:
            yield f"{prefix}up_bias", (self.hidden_dim,)
            yield f"{prefix}down_bias", (self.dim,)


def parse_config(config: Mapping[str, Any], path: Path) -> ModelConfig:
    """Checks a config.json of the Llama or OPT architecture.

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
        flashlm.FormatError: [pack] architecture: expected LlamaForCausalLM or OPTForCausalLM, got GPT2LMHeadModel \
(config.json)
    """
    model_type = _model_type(config, path)
    _count(config, "max_position_embeddings", path)
    return _parse_opt(config, path) if model_type == "opt" else _parse_llama(config, path, model_type)


def _parse_llama(config: Mapping[str, Any], path: Path, model_type: str) -> ModelConfig:
    # The code that a ProSparse model brings along is its activation, which the engine has.
    own_code = ("auto_map",) if model_type == "sparsellama" else ()
    _check_off(config, {key: value for key, value in _MUST_BE_OFF.items() if key not in own_code}, path)
    _check_rope(config, path)
    dim, n_heads = _heads(config, path)
    n_kv_heads = _count(config, "num_key_value_heads", path, default=n_heads)
    if n_heads % n_kv_heads:
        raise FormatError(
            f"[pack] config: expected num_attention_heads to be a multiple of num_key_value_heads, "
            f"got {n_heads} and {n_kv_heads} ({path})"
        )
    if config.get("head_dim") is None:
        _check_heads(dim, n_heads, path)
    head_dim = _count(config, "head_dim", path, default=dim // n_heads)
    if head_dim % 2:
        raise FormatError(f"[pack] config: expected an even head_dim, got {head_dim} ({path})")
    _number(config, "rms_norm_eps", path)
    activation = config.get("hidden_act", "silu")
    if activation not in _ACTIVATIONS:
        raise FormatError(
            f"[pack] config: hidden_act = {_brief(activation)} is not supported, expected one of "
            f"{', '.join(_ACTIVATIONS)} ({path})"
        )
    if activation == "fatrelu":
        _number(config, "hidden_act_param", path)
    return ModelConfig(
        architecture="llama",
        dim=dim,
        hidden_dim=_count(config, "intermediate_size", path),
        n_layers=_count(config, "num_hidden_layers", path),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_dim=head_dim,
        vocab_size=_count(config, "vocab_size", path),
        tied=_flag(config, "tie_word_embeddings", path, default=False),
        activation=activation,
    )


def _parse_opt(config: Mapping[str, Any], path: Path) -> ModelConfig:
    _check_off(config, _MUST_BE_OFF_IN_OPT, path)
    dim, n_heads = _heads(config, path)
    if not _flag(config, "do_layer_norm_before", path, default=True):
        raise FormatError(
            "[pack] config: do_layer_norm_before = False is not supported: OPT with layer norms behind the sums, as "
            f"opt-350m ({path})"
        )
    if _count(config, "word_embed_proj_dim", path, default=dim) != dim:
        raise FormatError(
            f"[pack] config: word_embed_proj_dim = {config['word_embed_proj_dim']} beside hidden_size = {dim} is not "
            f"supported: OPT with projected embeddings, as opt-350m ({path})"
        )
    _check_heads(dim, n_heads, path)
    return ModelConfig(
        architecture="opt",
        dim=dim,
        hidden_dim=_count(config, "ffn_dim", path),
        n_layers=_count(config, "num_hidden_layers", path),
        n_heads=n_heads,
        n_kv_heads=n_heads,
        head_dim=dim // n_heads,
        vocab_size=_count(config, "vocab_size", path),
        tied=_flag(config, "tie_word_embeddings", path, default=True),
        activation="relu",
        gated=False,
        biases=_flag(config, "enable_bias", path, default=True),
        norm_bias=True,
        n_positions=_count(config, "max_position_embeddings", path) + _POSITION_OFFSET,
    )


def _model_type(config: Mapping[str, Any], path: Path) -> str:
    """The model_type, which must be that of the architectures, if the file names any."""
    expected = f"expected {ARCHITECTURE} or {_OPT}"
    names, model_type = config.get("architectures"), config.get("model_type")
    known = {name: key for key, name in _ARCHITECTURES.items()}
    if names is None and model_type is None:
        raise FormatError(f"[pack] architecture: {expected}, the file names none ({path})")
    if names is not None and (not isinstance(names, list) or len(names) != 1 or str(names[0]) not in known):
        got = ", ".join(map(str, names)) if isinstance(names, list) else _brief(names)
        raise FormatError(f"[pack] architecture: {expected}, got {got} ({path})")
    if (
        not isinstance(model_type, str)
        or model_type not in _ARCHITECTURES
        or (names is not None and known[names[0]] != model_type)
    ):
        wanted = known[names[0]] if names else "llama or opt"
        raise FormatError(f"[pack] architecture: expected model_type {wanted}, got {_brief(model_type)} ({path})")
    return str(model_type)


def _check_off(config: Mapping[str, Any], must_be_off: Mapping[str, tuple[object, ...]], path: Path) -> None:
    for key, allowed in must_be_off.items():
        if key in config and config[key] not in allowed:
            raise FormatError(
                f"[pack] config: {key} = {_brief(config[key])} is not supported, expected {allowed[0]!r} ({path})"
            )


def _heads(config: Mapping[str, Any], path: Path) -> tuple[int, int]:
    return _count(config, "hidden_size", path), _count(config, "num_attention_heads", path)


def _check_heads(dim: int, n_heads: int, path: Path) -> None:
    if dim % n_heads:
        raise FormatError(
            f"[pack] config: expected hidden_size to be a multiple of num_attention_heads, got {dim} and {n_heads} "
            f"({path})"
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
        if not isinstance(rope_type, str) or rope_type not in _ROPE_TYPES:
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


def _flag(config: Mapping[str, Any], key: str, path: Path, *, default: bool) -> bool:
    value = config.get(key)
    if not isinstance(value, bool | None):
        raise FormatError(f"[pack] config: expected {key} to be true or false, got {_brief(value)} ({path})")
    return default if value is None else value


def _number(config: Mapping[str, Any], key: str, path: Path) -> float:
    value = config.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        raise FormatError(f"[pack] config: expected {key} to be a positive number, got {_brief(value)} ({path})")
    return float(value)


def _brief(value: object) -> str:
    return reprlib.repr(value)

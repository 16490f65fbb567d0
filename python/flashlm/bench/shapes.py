# SPDX-License-Identifier: Apache-2.0
"""shapes.py: the sizes of well-known models, by name, to measure without fetching them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flashlm._core import ArgumentError
from flashlm._engine.checked_calls import checked
from flashlm._engine.files import io_error, read_object

_LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "rope_scaling": None,
    "attention_bias": False,
    "mlp_bias": False,
}
_OPT: dict[str, Any] = {
    "architectures": ["OPTForCausalLM"],
    "model_type": "opt",
    "activation_function": "relu",
    "do_layer_norm_before": True,
    "enable_bias": True,
    "layer_norm_elementwise_affine": True,
    "vocab_size": 50272,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}


def _llama(
    dim: int,
    hidden_dim: int,
    n_layers: int,
    heads: tuple[int, int],
    vocab_size: int,
    *,
    context: int,
    rope_theta: float,
    tied: bool,
) -> dict[str, Any]:
    return {
        **_LLAMA,
        "hidden_size": dim,
        "intermediate_size": hidden_dim,
        "num_hidden_layers": n_layers,
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "head_dim": dim // heads[0],
        "vocab_size": vocab_size,
        "max_position_embeddings": context,
        "rope_theta": rope_theta,
        "tie_word_embeddings": tied,
    }


def _opt(dim: int, n_layers: int) -> dict[str, Any]:
    sizes = {"hidden_size": dim, "word_embed_proj_dim": dim, "ffn_dim": 4 * dim}
    return {**_OPT, **sizes, "num_hidden_layers": n_layers, "num_attention_heads": 32}


_SMOLLM2: dict[str, Any] = {"vocab_size": 49152, "context": 8192, "tied": True}
_LLAMA_2: dict[str, Any] = {
    "vocab_size": 32000,
    "context": 4096,
    "rope_theta": 10000.0,
    "tied": False,
}

SHAPES: Mapping[str, Mapping[str, Any]] = {
    "smollm2-135m": _llama(576, 1536, 30, (9, 3), rope_theta=100000.0, **_SMOLLM2),
    "smollm2-1.7b": _llama(2048, 8192, 24, (32, 32), rope_theta=130000.0, **_SMOLLM2),
    "opt-1.3b": _opt(2048, 24),
    "opt-6.7b": _opt(4096, 32),
    "llama-2-7b": _llama(4096, 11008, 32, (32, 32), **_LLAMA_2),
    "llama-2-13b": _llama(5120, 13824, 40, (40, 40), **_LLAMA_2),
}
"""config.json in Hugging Face form, by name."""


@checked("bench")
def shape_config(shape: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    """The config of a shape.

    Args:
        shape: A name in `SHAPES`, or the path of a config.json.

    Returns:
        What to call it, and its config in Hugging Face form. Ids that end a text are left out: a
        benchmark goes on.

    Raises:
        ArgumentError: Neither a name nor a file.
        FormatError: The file is not a JSON object.
        IoError: It cannot be read.

    Example:
        >>> name, config = flashlm.bench.shapes.shape_config("llama-2-7b")
        >>> config["intermediate_size"]
        11008
    """
    if isinstance(shape, str) and shape in SHAPES:
        return shape, dict(SHAPES[shape])
    path = Path(shape).expanduser()
    try:
        path = path / "config.json" if path.is_dir() else path
        found = path.is_file()
    except OSError as error:  # a name that is too long
        raise io_error("read", error, path, "bench") from error
    if not found:
        raise ArgumentError(
            f"[bench] shape: expected {', '.join(SHAPES)} or the path of a config.json, got "
            f"{os.fspath(shape)!r}"
        )
    config = read_object(path)
    return path.resolve().parent.name, {
        key: value for key, value in config.items() if not key.endswith("_token_id")
    }

# SPDX-License-Identifier: Apache-2.0
"""random_opt.py: small OPT models whose weights come from the formula of random_llama.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import random_llama
from flashlm.packing.tokenizers.tokenizer import byte_characters
from random_llama import FloatArray


@dataclass(frozen=True)
class OptCase:
    """One small model: its config in Hugging Face words and how its weights are rounded."""

    name: str
    seed: int
    dim: int = 64
    hidden_dim: int = 150
    n_layers: int = 2
    n_heads: int = 4
    vocab_size: int = 101
    context: int = 64
    tied: bool = True
    biases: bool = True
    rounded: bool = True  # every matrix holds f16 numbers, so that an f16 folder holds it exactly
    tokens: tuple[int, ...] = field(default=(1, 17, 42, 100, 0, 63, 5, 5, 98, 7, 31, 64))


OPT_CASES: tuple[OptCase, ...] = (
    OptCase("opt", seed=21),
    OptCase("opt_untied", seed=22, tied=False, n_layers=1),
    OptCase("opt_no_bias", seed=23, biases=False, hidden_dim=33, n_heads=2),
    OptCase("opt_odd", seed=24, dim=35, n_heads=5, hidden_dim=101, n_layers=3, rounded=False),
)


def case(name: str) -> OptCase:
    """The case of that name."""
    return next(c for c in OPT_CASES if c.name == name)


def config(c: OptCase) -> dict[str, Any]:
    """The case's config.json."""
    return {
        "architectures": ["OPTForCausalLM"],
        "model_type": "opt",
        "activation_function": "relu",
        "do_layer_norm_before": True,
        "enable_bias": c.biases,
        "hidden_size": c.dim,
        "word_embed_proj_dim": c.dim,
        "ffn_dim": c.hidden_dim,
        "num_hidden_layers": c.n_layers,
        "num_attention_heads": c.n_heads,
        "vocab_size": c.vocab_size,
        "max_position_embeddings": c.context,
        "tie_word_embeddings": c.tied,
        "pad_token_id": 1,
        "bos_token_id": c.vocab_size - 2,
        "eos_token_id": c.vocab_size - 1,
    }


def shapes(c: OptCase) -> dict[str, tuple[int, ...]]:
    """Tensor name in Hugging Face form -> shape."""
    result: dict[str, tuple[int, ...]] = {
        "model.decoder.embed_tokens.weight": (c.vocab_size, c.dim),
        "model.decoder.embed_positions.weight": (c.context + 2, c.dim),
    }
    norms = ["model.decoder.final_layer_norm"]
    matrices: dict[str, tuple[int, int]] = {}
    for layer in range(c.n_layers):
        prefix = f"model.decoder.layers.{layer}."
        norms += [prefix + "self_attn_layer_norm", prefix + "final_layer_norm"]
        matrices |= {
            f"{prefix}self_attn.{name}": (c.dim, c.dim)
            for name in ("q_proj", "k_proj", "v_proj", "out_proj")
        }
        matrices |= {prefix + "fc1": (c.hidden_dim, c.dim), prefix + "fc2": (c.dim, c.hidden_dim)}
    for name in norms:
        result |= {f"{name}.weight": (c.dim,), f"{name}.bias": (c.dim,)}
    for name, shape in matrices.items():
        result[f"{name}.weight"] = shape
        if c.biases:
            result[f"{name}.bias"] = shape[:1]
    if not c.tied:
        result["lm_head.weight"] = (c.vocab_size, c.dim)
    return result


def weights(c: OptCase) -> dict[str, FloatArray]:
    """All tensors of the case, float32, in Hugging Face form."""
    result: dict[str, FloatArray] = {}
    for name, shape in shapes(c).items():
        numbers = random_llama.fractions(c.seed, name, int(np.prod(shape))).reshape(shape)
        if name.endswith(".bias"):
            numbers = numbers * np.float32(0.25)
        elif len(shape) == 1:
            numbers = np.float32(1.0) + np.float32(0.25) * numbers
        elif "embed" in name or name == "lm_head.weight":
            numbers = numbers * np.float32(0.5)
        else:
            numbers = numbers * np.float32(2.0 / np.sqrt(shape[1]))
        if c.rounded and len(shape) > 1:
            numbers = numbers.astype(np.float16).astype(np.float32)
        result[name] = numbers
    return result


def write_folder(
    c: OptCase, folder: Path, tensors: Mapping[str, FloatArray] | None = None, **config_values: Any
) -> Path:
    """Writes the case as a Hugging Face folder.

    Other tensors or values of its config may be given.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(c) | config_values, indent=2))
    (folder / "tokenizer.json").write_text(
        json.dumps(random_llama.tokenizer(), ensure_ascii=False), encoding="utf-8"
    )
    save_file(dict(weights(c) if tensors is None else tensors), folder / "model.safetensors")
    return folder


def write_older_tokenizer(folder: Path, **config_values: Any) -> Path:
    """The tokenizer files that OPT was published with.

    They are vocab.json, merges.txt and two of special tokens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = ["<s>", "<pad>", "</s>", "<unk>", *byte_characters(), "th", "Ġt", "Ġth", "the", "Ġthe"]
    (folder / "vocab.json").write_text(
        json.dumps({word: index for index, word in enumerate(words)})
    )
    (folder / "merges.txt").write_text(
        "#version: 0.2\nt h\nĠ t\nĠt h\nth e\nĠth e\n", encoding="utf-8"
    )
    special = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    settings = {
        "add_bos_token": True,
        "add_prefix_space": False,
        "bos_token": {"__type": "AddedToken", "content": "</s>", "normalized": True},
        "tokenizer_class": "GPT2Tokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(special | settings | config_values))
    return folder

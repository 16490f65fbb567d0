# SPDX-License-Identifier: Apache-2.0
"""family_cases.py: small models of each family, whose features bite: each one, left out, moves the logits.

A row says what a family's config holds beside sizes, and how each feature is taken out of
transformers' model. Weights come from the formula of random_llama.py, scaled so that logits deviate
by some units.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import random_llama
from family_row import (
    COMMON,
    CONTEXT,
    VOCAB,
    Config,
    Row,
    Weights,
    llama_keys,
    set_to,
    turned,
    zeroed,
)
from flashlm.packing.family import Family
from flashlm.packing.graph.tensors import tensors_of
from flashlm.packing.sources.huggingface import graph_of_config
from gemma_rows import GEMMA_ROWS
from gpt_rows import GPT_ROWS
from random_llama import FloatArray
from scaled_rows import SCALED_ROWS

SEEDS = range(3)
_TOKENS = 40
_LOADED = {
    "embed_out.weight": "lm_head.weight"
}  # what transformers calls a tensor once it has loaded a folder


ROWS: Mapping[str, Row] = {
    "llama": Row(
        lambda draw: {
            "model_type": "llama",
            "attention_bias": draw.random() < 0.5,
            "mlp_bias": False,
        },
        COMMON,
        gguf=lambda config: (
            {} if config["attention_bias"] else llama_keys(config)
        ),  # llama.cpp's has no biases
        paired=True,
    ),
    "mistral": Row(
        lambda draw: {
            "model_type": "mistral",
            "sliding_window": draw.choice([5, 9]),
            "head_dim": 8,
        },
        {**COMMON, "window": set_to("sliding_window", None)},
        as_gguf=set_to("sliding_window", None),
        paired=True,
    ),
    "qwen2": Row(
        lambda draw: {
            "model_type": "qwen2",
            "use_sliding_window": False,
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": draw.choice([2.0, 4.0]),
                "original_max_position_embeddings": draw.choice([16, 24]),
            },
        },
        {
            **COMMON,
            **{f"{part}_bias": zeroed(f"{part}_proj.bias") for part in "qkv"},
            "yarn": set_to("rope_scaling", None),
        },
        more=lambda config: {
            "rope.scaling.factor": config["rope_scaling"]["factor"],
            "rope.scaling.original_context_length": config["rope_scaling"][
                "original_max_position_embeddings"
            ],
        },
    ),
    "qwen3": Row(
        lambda draw: {
            "model_type": "qwen3",
            "use_sliding_window": False,
            "head_dim": draw.choice([6, 10]),
            "attention_bias": False,
        },
        COMMON,
        {"q_norm": "self_attn.q_norm", "k_norm": "self_attn.k_norm"},
    ),
    "phi3": Row(
        lambda draw: {
            "model_type": "phi3",
            "partial_rotary_factor": draw.choice([0.5, 0.75]),
            "sliding_window": draw.choice([5, 9]),
            "pad_token_id": None,
        },
        {
            **COMMON,
            "rotary": set_to("partial_rotary_factor", 1.0),
            "window": set_to("sliding_window", None),
        },
        gguf=lambda config: {
            **llama_keys(config),
            "attention.sliding_window": config["sliding_window"],
            "rope.dimension_count": turned(config, config["partial_rotary_factor"]),
        },
    ),
    **GEMMA_ROWS,
    **SCALED_ROWS,
    **GPT_ROWS,
}


@dataclass(frozen=True)
class Case:
    """One model."""

    family: Family
    config: Config
    weights: Weights
    tokens: list[int]

    def write(self, folder: Path) -> Path:
        """The model as a Hugging Face folder."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(self.config))
        (folder / "tokenizer.json").write_text(
            json.dumps(random_llama.tokenizer()), encoding="utf-8"
        )
        save_file(self.weights, folder / "model.safetensors")
        return folder

    def as_gguf(self) -> Case:
        """The same, or the nearest that a GGUF can hold."""
        change, config, weights = (
            ROWS[self.family.name].as_gguf,
            dict(self.config),
            dict(self.weights),
        )
        if change is not None:
            change(config, weights)
        return dataclasses.replace(self, config=config, weights=weights)

    def write_gguf(self, path: Path) -> Path:
        """The model as llama.cpp's converter writes it, with names of the `gguf` package."""
        import gguf

        row = ROWS[self.family.name]
        architecture = self.family.gguf or "llama"
        metadata = {
            **(row.gguf or llama_keys)(self.config),
            **(row.more(self.config) if row.more is not None else {}),
        }
        arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
        names = gguf.get_tensor_name_map(arch, int(metadata["block_count"]))
        writer = gguf.GGUFWriter(str(path), architecture)
        for key, value in metadata.items():
            _adders(writer)[type(value)](f"{architecture}.{key}", value)
        _add_tokenizer(writer)
        for name, weight in self.weights.items():
            array = weight + np.float32(row.less) if name.endswith("norm.weight") else weight
            if row.paired and name.endswith(("q_proj.weight", "k_proj.weight")):
                heads = "num_attention_heads" if "q_proj" in name else "num_key_value_heads"
                halves = array.reshape(self.config[heads], 2, -1, array.shape[1])
                array = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(array.shape))
            elif "query_key_value" in name:
                array = self._in_order(array)
            elif row.transposed and array.ndim > 1 and ".h." in name:
                array = np.ascontiguousarray(array.T)
            writer.add_tensor(names.get_name(name, (".weight", ".bias")), array)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    @property
    def has_gguf(self) -> bool:
        """Whether a GGUF can hold the model."""
        gguf = ROWS[self.family.name].gguf
        return gguf is None or bool(gguf(self.config))

    def _in_order(self, array: FloatArray) -> FloatArray:
        """All queries, then all keys, then all values, of groups of heads of queries, a head of keys, one of values."""
        attention = graph_of_config(self.config, Path())[1].attention
        kv_heads = attention.kv_heads
        groups = array.reshape(kv_heads, attention.heads // kv_heads + 2, attention.head_dim, -1)
        parts = (groups[:, :-2], groups[:, -2], groups[:, -1])
        return np.concatenate([part.reshape(-1, *array.shape[1:]) for part in parts])


def case(name: str, seed: int) -> Case:
    """A model of a family, drawn at random."""
    draw = random.Random(f"{name} {seed}")
    kv_heads = draw.choice([1, 3])
    heads = kv_heads * draw.choice([1, 3]) if kv_heads > 1 else draw.choice([3, 5])
    config: Config = {
        "hidden_size": heads * 8,
        "intermediate_size": draw.randrange(30, 90),
        "num_hidden_layers": draw.choice([2, 3]),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": VOCAB,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": draw.choice([1e-5, 1e-6]),
        "rope_theta": draw.choice([50.0, 300.0]),
        "tie_word_embeddings": seed % 2 == 1,
        "hidden_act": "silu",
        **ROWS[name].config(draw),
    }
    if (whole := ROWS[name].whole) is not None:
        config = whole(draw, seed)
    family, graph = graph_of_config(config, Path(name))
    renamed = change(config) if (change := ROWS[name].renamed) is not None else {}
    weights: Weights = {}
    for ours, shape in _fused(
        family, {tensor.name: tensor.shape for tensor in tensors_of(graph, name)}
    ).items():
        numbers = _numbers(seed, ours, shape, ROWS[name].less)
        if ROWS[name].transposed and ours.startswith("layers."):
            numbers = np.ascontiguousarray(numbers.T)
        theirs = family.names.theirs(ours)
        for part, other in renamed.items():
            theirs = theirs.replace(part, other)
        weights[theirs] = numbers
    return Case(family, config, weights, [draw.randrange(VOCAB) for _ in range(_TOKENS)])


def _fused(family: Family, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The shapes of tensors as the family's files have them: some are one, row behind row."""
    parts = {"qkv": ("q", "k", "v"), "gate_up": ("gate", "up")}
    known = set(family.names.in_layer.values())
    whole = {part: each for each in parts if each in known for part in parts[each]}
    result: dict[str, tuple[int, ...]] = {}
    for tensor, shape in shapes.items():
        before, _, end = tensor.rpartition(".")
        part = end.removesuffix("_bias")
        if part in whole:
            end = f"{whole[part]}{end.removeprefix(part)}"
        name = f"{before}.{end}" if before else end
        rows = result.get(name, (0,))[0]
        result[name] = (rows + shape[0], *shape[1:])
    return result


def _numbers(seed: int, name: str, shape: tuple[int, ...], less: float) -> FloatArray:
    numbers = random_llama.fractions(seed, name, int(np.prod(shape))).reshape(shape)
    if name.endswith("_bias"):
        return numbers
    if len(shape) == 1:
        return np.float32(1.0 - less) + np.float32(0.5) * numbers
    scale = 1.0 if name in ("embedding", "positions") else 3.0 / np.sqrt(shape[1])
    return np.asarray(numbers * np.float32(scale), np.float32)


def without(
    row: Row, feature: str, config: Config, weights: Weights
) -> tuple[Config, Weights, str | None]:
    """Config and weights without a feature, and the end of the names of modules to pass by."""
    config, weights = dict(config), dict(weights)
    if feature in row.without:
        row.without[feature](config, weights)
    return config, weights, row.modules.get(feature)


def transformers_logits(
    config: Config, weights: Weights, tokens: list[int], passed_by: str | None = None
) -> FloatArray:
    """What transformers computes, float32 [n, vocab]."""
    import torch
    import transformers

    settings = copy.deepcopy(config)  # transformers writes into objects of it
    made = transformers.AutoConfig.for_model(
        settings.pop("model_type"), **settings, attn_implementation="eager"
    )
    model = transformers.AutoModelForCausalLM.from_config(made).to(torch.float32).eval()
    state = {
        _LOADED.get(name, name): torch.from_numpy(np.array(array))
        for name, array in weights.items()
    }
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or any("rotary" not in name and name != "lm_head.weight" for name in missing):
        raise RuntimeError(
            f"weights and model disagree: missing {missing}, unexpected {unexpected}"
        )
    model.tie_weights()
    if passed_by is not None:
        for name, module in list(model.named_modules()):
            if name.endswith(passed_by):
                parent, _, child = name.rpartition(".")
                setattr(model.get_submodule(parent), child, torch.nn.Identity())
                del module
    with torch.no_grad():
        return np.asarray(model(torch.tensor([tokens])).logits[0].float().numpy(), np.float32)


def _adders(writer: Any) -> dict[type, Any]:
    return {
        bool: writer.add_bool,
        int: writer.add_uint32,
        float: writer.add_float32,
        str: writer.add_string,
    }


def _add_tokenizer(writer: Any) -> None:
    model: dict[str, Any] = random_llama.tokenizer()["model"]
    words = sorted(model["vocab"], key=model["vocab"].__getitem__)
    specials = (random_llama.BEGIN_OF_TEXT, random_llama.END_OF_TEXT)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    writer.add_token_types([3 if word in specials else 1 for word in words])
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_bos_token_id(VOCAB - 2)
    writer.add_eos_token_id(VOCAB - 1)

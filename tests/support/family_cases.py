# SPDX-License-Identifier: Apache-2.0
"""family_cases.py: small models of each family, whose features bite: each one, left out, moves the logits.

A row says what a family's config holds beside sizes, and how each feature is taken out of transformers' model. Weights
come from the formula of random_llama.py, scaled so that logits deviate by some units.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import random_llama
from family_row import COMMON, CONTEXT, VOCAB, Config, Row, Weights, zeroed
from flashlm.packing.family import Family
from flashlm.packing.huggingface import graph_of_config
from flashlm.packing.tensors import tensors_of
from gemma_rows import GEMMA_ROWS
from random_llama import FloatArray
from scaled_rows import SCALED_ROWS

SEEDS = range(3)
_TOKENS = 40

ROWS: Mapping[str, Row] = {
    "llama": Row(
        lambda draw: {"model_type": "llama", "attention_bias": draw.random() < 0.5, "mlp_bias": False},
        COMMON,
        paired=True,
    ),
    "mistral": Row(lambda _: {"model_type": "mistral", "sliding_window": None, "head_dim": 8}, COMMON, paired=True),
    "qwen2": Row(
        lambda _: {"model_type": "qwen2", "use_sliding_window": False},
        {**COMMON, **{f"{part}_bias": zeroed(f"{part}_proj.bias") for part in "qkv"}},
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
    **GEMMA_ROWS,
    **SCALED_ROWS,
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
        (folder / "tokenizer.json").write_text(json.dumps(random_llama.tokenizer()), encoding="utf-8")
        save_file(self.weights, folder / "model.safetensors")
        return folder

    def as_gguf(self) -> Case:
        """The same, or the nearest that a GGUF can hold."""
        change, config, weights = ROWS[self.family.name].as_gguf, dict(self.config), dict(self.weights)
        if change is not None:
            change(config, weights)
        return dataclasses.replace(self, config=config, weights=weights)

    def write_gguf(self, path: Path) -> Path:
        """The model as llama.cpp's converter writes it, with names of the `gguf` package."""
        import gguf

        row, architecture = ROWS[self.family.name], self.family.gguf or "llama"
        arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
        names = gguf.get_tensor_name_map(arch, self.config["num_hidden_layers"])
        writer = gguf.GGUFWriter(str(path), architecture)
        writer.add_block_count(self.config["num_hidden_layers"])
        writer.add_context_length(CONTEXT)
        writer.add_embedding_length(self.config["hidden_size"])
        writer.add_feed_forward_length(self.config["intermediate_size"])
        writer.add_head_count(self.config["num_attention_heads"])
        writer.add_head_count_kv(self.config["num_key_value_heads"])
        if self.config["rms_norm_eps"] is not None:
            writer.add_layer_norm_rms_eps(self.config["rms_norm_eps"])
        writer.add_rope_freq_base(self.config["rope_theta"])
        if "head_dim" in self.config:
            writer.add_key_length(self.config["head_dim"])
            writer.add_value_length(self.config["head_dim"])
        if row.more is not None:
            for key, value in row.more(self.config).items():
                add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
                add(f"{architecture}.{key}", value)
        if "rope_scaling" in self.config:
            writer.add_rope_scaling_type(gguf.RopeScalingType(self.config["rope_scaling"]["rope_type"]))
        _add_tokenizer(writer)
        for name, weight in self.weights.items():
            array = weight + np.float32(row.less) if name.endswith("norm.weight") else weight
            if row.paired and name.endswith(("q_proj.weight", "k_proj.weight")):
                heads = "num_attention_heads" if "q_proj" in name else "num_key_value_heads"
                halves = array.reshape(self.config[heads], 2, -1, array.shape[1])
                array = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(array.shape))
            writer.add_tensor(names.get_name(name, (".weight", ".bias")), array)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path


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
    family, graph = graph_of_config(config, Path(name))
    weights = {
        family.names.theirs(tensor.name): _numbers(seed, tensor.name, tensor.shape, ROWS[name].less)
        for tensor in tensors_of(graph, name)
    }
    return Case(family, config, weights, [draw.randrange(VOCAB) for _ in range(_TOKENS)])


def _numbers(seed: int, name: str, shape: tuple[int, ...], less: float) -> FloatArray:
    numbers = random_llama.fractions(seed, name, int(np.prod(shape))).reshape(shape)
    if name.endswith("_bias"):
        return numbers
    if len(shape) == 1:
        return np.float32(1.0 - less) + np.float32(0.5) * numbers
    scale = 1.0 if name == "embedding" else 3.0 / np.sqrt(shape[1])
    return np.asarray(numbers * np.float32(scale), np.float32)


def without(row: Row, feature: str, config: Config, weights: Weights) -> tuple[Config, Weights, str | None]:
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

    settings = dict(config)
    made = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings, attn_implementation="eager")
    model = transformers.AutoModelForCausalLM.from_config(made).to(torch.float32).eval()
    state = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or any("rotary" not in name and name != "lm_head.weight" for name in missing):
        raise RuntimeError(f"weights and model disagree: missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    if passed_by is not None:
        for name, module in list(model.named_modules()):
            if name.endswith(passed_by):
                parent, _, child = name.rpartition(".")
                setattr(model.get_submodule(parent), child, torch.nn.Identity())
                del module
    with torch.no_grad():
        return np.asarray(model(torch.tensor([tokens])).logits[0].float().numpy(), np.float32)


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

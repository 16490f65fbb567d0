# SPDX-License-Identifier: Apache-2.0
"""gguf.py: a GGUF file of the Llama architecture as a source: its config, tokenizer, template and weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from flashlm._core import FormatError
from flashlm.packing.config import ARCHITECTURE, RUNS, ModelConfig, parse_config
from flashlm.packing.dtypes import NATIVE
from flashlm.packing.files import read_exactly
from flashlm.packing.gguf_header import GgufHeader, GgufTensor
from flashlm.packing.gguf_parts import read_parts
from flashlm.packing.source import TIED, Source, Weight, match_tensors, untie
from flashlm.packing.tokenizer import tokenizer_json
from flashlm.template_files import DEFAULT, NAMED
from flashlm.turn_ends import turn_ends, with_ends

_TOP = {"token_embd.weight": "embedding", "output_norm.weight": "final_norm", "output.weight": "head"}
_IN_LAYER = {
    "attn_norm.weight": "attention_norm",
    "attn_q.weight": "q",
    "attn_k.weight": "k",
    "attn_v.weight": "v",
    "attn_output.weight": "o",
    "ffn_norm.weight": "ffn_norm",
    "ffn_gate.weight": "gate",
    "ffn_up.weight": "up",
    "ffn_down.weight": "down",
}
_NO_TOKEN = 0xFFFFFFFF  # llama.cpp's -1: there is no such token
_ROPE_FACTORS = "rope_freqs.weight"  # llama3 scaling: what each rope frequency is divided by

# Metadata that shapes the graph and that `_config` reads or checks. Any other llama.* key is refused by name.
_KNOWN = {
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "vocab_size",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scale_linear",
    "expert_count",
    "expert_used_count",
}
_TEMPLATE = "tokenizer.chat_template"
_CONTROL = (3, 4)  # control and user-defined tokens


def open_gguf(path: Path) -> Source:
    """Reads the header of a GGUF file and checks that everything in it can be packed.

    Raises:
        FormatError: Another architecture or feature, an unknown tensor type, a missing, misshapen or left-over tensor,
            a broken header; names the file and the tensor or key.
        IoError: The file cannot be read.
    """
    headers = read_parts(path)
    header = headers[0]
    architecture = header.metadata.get("general.architecture")
    if architecture != "llama":
        hint = RUNS
        if architecture == "opt":
            hint = "There is no OPT in GGUF, since llama.cpp has none. Pack its Hugging Face folder."
        raise FormatError(f"[gguf] architecture: expected llama, got {architecture!r} ({path}). {hint}")
    config = _config(header)
    sizes = parse_config(config, path)
    factors = header.tensors.get(_ROPE_FACTORS)
    if factors is not None:
        config["rope_scaling"] = _llama3_scaling(header, factors, config, sizes)
    small_files = {
        "config.json": _json(config),
        "generation_config.json": _json(_generation_config(header, config)),
        "tokenizer.json": json.dumps(tokenizer_json(header.metadata), ensure_ascii=False).encode(),
    }
    named = _templates(header)
    if "default" in named:
        small_files[DEFAULT] = named.pop("default").encode()
    if named:
        small_files[NAMED] = _json(named)
    weights = _weights(header, sizes)
    if sizes.tied:
        untie(weights)
    return Source(
        kind="gguf",
        name=path.name,
        config=sizes,
        weights=match_tensors(sizes, weights, path),
        small_files=small_files,
        weight_files=tuple(part.path for part in headers),
        header_sha256={part.path.name: part.sha256 for part in headers},
    )


def _config(header: GgufHeader) -> dict[str, Any]:
    """config.json in Hugging Face form."""
    meta = {key.removeprefix("llama."): value for key, value in header.metadata.items() if key.startswith("llama.")}
    for key in meta.keys() - _KNOWN:
        raise _error(header, f"metadata: llama.{key} = {meta[key]!r:.80} is not supported")
    if meta.get("expert_count", 0) != 0:
        raise _error(header, f"metadata: expected llama.expert_count = 0, got {meta['expert_count']!r:.80}")
    dim, n_heads = _count(header, meta, "embedding_length"), _count(header, meta, "attention.head_count")
    head_dim = _count(header, meta, "attention.key_length", dim // n_heads)
    for key in ("attention.value_length", "rope.dimension_count"):
        if _count(header, meta, key, head_dim) != head_dim:
            raise _error(header, f"metadata: expected llama.{key} = {head_dim} (the head size), got {meta[key]!r:.80}")
    result: dict[str, Any] = {
        "architectures": [ARCHITECTURE],
        "model_type": "llama",
        "hidden_size": dim,
        "intermediate_size": _count(header, meta, "feed_forward_length"),
        "num_hidden_layers": _count(header, meta, "block_count"),
        "num_attention_heads": n_heads,
        "num_key_value_heads": _count(header, meta, "attention.head_count_kv", n_heads),
        "head_dim": head_dim,
        "vocab_size": _count(header, meta, "vocab_size", _n_rows(header)),
        "max_position_embeddings": _count(header, meta, "context_length"),
        "rms_norm_eps": meta.get("attention.layer_norm_rms_epsilon"),
        "rope_theta": meta.get("rope.freq_base", 10000.0),
        "rope_scaling": _rope_scaling(header, meta),
        "tie_word_embeddings": len(_tied_tensors(header)) == 1,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
    }
    # What else the metadata name (padding, unknown, separator, mask) is used by nothing, and may be anything.
    for key in ("bos", "eos"):
        name = f"tokenizer.ggml.{key}_token_id"
        token = header.metadata.get(name, _NO_TOKEN)
        if token in (_NO_TOKEN, -1):
            continue
        if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token < result["vocab_size"]:
            raise _error(header, f"metadata: expected {name} below {result['vocab_size']}, got {token!r:.80}")
        result[f"{key}_token_id"] = token
    padding = header.metadata.get("tokenizer.ggml.padding_token_id")
    if isinstance(padding, int) and not isinstance(padding, bool) and 0 <= padding < result["vocab_size"]:
        result["pad_token_id"] = padding
    return result


def _tied_tensors(header: GgufHeader) -> list[GgufTensor]:
    """The embedding and the head, or the one that is there."""
    theirs = {ours: name for name, ours in _TOP.items()}
    names = [theirs[ours] for group in TIED for ours in group]
    return [header.tensors[name] for name in names if name in header.tensors]


def _n_rows(header: GgufHeader) -> int | None:
    """Rows of the embedding: the tokenizer may have more tokens, which the model can neither take nor write."""
    tensors = _tied_tensors(header)
    return tensors[0].shape[0] if tensors else None


def _rope_scaling(header: GgufHeader, meta: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = meta.get("rope.scaling.type", "none")
    factor = meta.get("rope.scaling.factor", meta.get("rope.scale_linear"))
    if kind == "none":
        if "rope.scale_linear" in meta and factor != 1:
            return {"rope_type": "linear", "factor": factor}
        return None
    if kind == "linear":
        return {"rope_type": "linear", "factor": factor}
    raise _error(header, f"metadata: llama.rope.scaling.type = {kind!r:.80} is not supported, expected none or linear")


def _llama3_scaling(
    header: GgufHeader, tensor: GgufTensor, config: Mapping[str, Any], sizes: ModelConfig
) -> dict[str, Any] | None:
    """The llama3 scaling whose factors are in the tensor.

    A GGUF keeps the factors, not the four numbers that they come from. The published models differ in `factor` only; so
    the numbers are guessed, the factors computed from them, and the guess is taken only if every factor agrees.
    """
    half = sizes.head_dim // 2
    if tensor.kind != "F32" or tensor.shape != (half,):
        raise _error(header, f"expected F32 [{half}], got {tensor.kind} {list(tensor.shape)}", tensor.name)
    if config["rope_scaling"] is not None:
        raise _error(header, "rope factors beside llama.rope.scaling.type are not supported", tensor.name)
    factors = np.frombuffer(read_exactly(tensor.file, tensor.offset, tensor.n_bytes), "<f4").astype(np.float64)
    if np.all(factors == 1):
        return None
    factor = float(np.max(factors))
    guess: dict[str, Any] = {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    expected = llama3_factors(guess, float(config["rope_theta"]), sizes.head_dim)
    if factor <= 1 or not np.allclose(factors, expected, rtol=1e-5, atol=0):
        raise _error(header, "these rope factors are not those of llama3 scaling, and are not supported", tensor.name)
    return guess


def llama3_factors(scaling: Mapping[str, Any], theta: float, head_dim: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What llama3 rope scaling divides each of the head_dim / 2 frequencies by (transformers, `_compute_llama3`)."""
    result = []
    for i in range(head_dim // 2):
        wavelength = 2 * math.pi * theta ** (2 * i / head_dim)
        turns = scaling["original_max_position_embeddings"] / wavelength
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        smooth = min(1.0, max(0.0, (turns - low) / (high - low)))
        result.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.asarray(result)


def _generation_config(header: GgufHeader, config: Mapping[str, Any]) -> dict[str, Any]:
    """Where generation begins and ends: a chat model ends at its end-of-turn token as well as at the end of text."""
    ends = [config.get("eos_token_id")]
    ends += [header.metadata.get(f"tokenizer.ggml.{key}_token_id") for key in ("eot", "eom")]
    known = [end for end in ends if isinstance(end, int) and 0 <= end < config["vocab_size"]]
    result: dict[str, Any] = {key: config[key] for key in ("bos_token_id", "pad_token_id") if key in config}
    if known:
        result["eos_token_id"] = list(dict.fromkeys(known)) if len(set(known)) > 1 else known[0]
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    types = header.metadata.get("tokenizer.ggml.token_type")
    control: dict[str, int] = {}
    if isinstance(tokens, list) and isinstance(types, list):
        of_kind = zip(tokens, types, strict=False)
        control = {text: token for token, (text, kind) in enumerate(of_kind) if kind in _CONTROL}
    return with_ends(result, config, control, turn_ends(control, _templates(header).values()))


def _templates(header: GgufHeader) -> dict[str, str]:
    """The chat templates by name; the key of the default one ends without a name."""
    return {
        key.removeprefix(_TEMPLATE).removeprefix(".") or "default": value
        for key, value in header.metadata.items()
        if (key == _TEMPLATE or key.startswith(f"{_TEMPLATE}.")) and isinstance(value, str)
    }


def _weights(header: GgufHeader, sizes: ModelConfig) -> dict[str, Weight]:
    """The tensors by flashlm's names. One that flashlm has no name for keeps its own, so that it is found left over."""
    result: dict[str, Weight] = {}
    for tensor in header.tensors.values():
        if tensor.name == _ROPE_FACTORS:
            continue
        name = _TOP.get(tensor.name, f"?{tensor.name}")
        prefix, _, rest = tensor.name.partition(".")
        layer, _, part = rest.partition(".")
        if prefix == "blk" and part in _IN_LAYER and layer.isascii() and layer.isdecimal():
            name = f"layers.{layer}.{_IN_LAYER[part]}"
        if not _can_decode(tensor.kind):
            raise _error(
                header,
                f"tensor type: {tensor.kind} is not supported, expected {', '.join(NATIVE)}, or another type "
                "that the gguf package decodes",
                tensor.name,
            )
        # llama.cpp's converter puts the two numbers that rope rotates together side by side.
        interleaved = sizes.head_dim if part in ("attn_q.weight", "attn_k.weight") else 0
        result[name] = Weight(
            tensor.name, tensor.file, tensor.kind, tensor.shape, tensor.offset, tensor.row_bytes, interleaved
        )
    return result


def _can_decode(kind: str) -> bool:
    if kind in ("F32", "F16", "BF16"):
        return True
    tensor_type = gguf.GGMLQuantizationType[kind]
    try:
        gguf.quants.dequantize(np.zeros((1, gguf.GGML_QUANT_SIZES[tensor_type][1]), np.uint8), tensor_type)
    except NotImplementedError:
        return False
    return True


def _count(header: GgufHeader, meta: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = meta.get(key, default)
    if isinstance(value, list) and value and all(item == value[0] for item in value):
        value = value[0]  # one number per layer, all the same
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 31:
        raise _error(header, f"metadata: expected llama.{key} to be a positive whole number, got {value!r:.80}")
    return value


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _error(header: GgufHeader, message: str, tensor: str | None = None) -> FormatError:
    return FormatError(f"[gguf] {message} ({header.path}{', ' + tensor if tensor else ''})")


def gguf_name(name: str) -> str:
    """llama.cpp's name of a tensor that flashlm calls `name`."""
    parts = name.split(".", 2)
    tops, in_layer = ({ours: theirs for theirs, ours in names.items()} for names in (_TOP, _IN_LAYER))
    return f"blk.{parts[1]}.{in_layer[parts[2]]}" if parts[0] == "layers" else tops[name]

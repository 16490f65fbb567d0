# SPDX-License-Identifier: Apache-2.0
"""random_gguf.py: the small models of random_llama.py as GGUF files.

The `gguf` package writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

import random_llama
from flashlm import _core
from random_llama import Case, FloatArray

TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m['content'] }}<|end|>{% endfor %}"
_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name: str) -> str:
    """Hugging Face's name of a tensor -> GGUF's."""
    stem = name.removesuffix(".weight")
    if stem.startswith("model.layers."):
        _, _, layer, rest = stem.split(".", 3)
        return f"blk.{layer}.{_NAMES[rest]}.weight"
    return f"{_NAMES[stem]}.weight"


def interleave(weight: FloatArray, n_heads: int) -> FloatArray:
    """What llama.cpp's converter does to Q and K: the halves of each head, row by row in turn."""
    rows, columns = weight.shape
    halves = weight.reshape(n_heads, 2, rows // n_heads // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows, columns))


def tensors(c: Case) -> dict[str, FloatArray]:
    """The case's weights by GGUF's names, in GGUF's order of rows."""
    result: dict[str, FloatArray] = {}
    for name, weight in random_llama.weights(c).items():
        if name.endswith("q_proj.weight"):
            result[gguf_name(name)] = interleave(weight, c.n_heads)
        elif name.endswith("k_proj.weight"):
            result[gguf_name(name)] = interleave(weight, c.n_kv_heads)
        else:
            result[gguf_name(name)] = weight
    return result


def quantised(array: FloatArray, kind: str) -> npt.NDArray[Any]:
    """A matrix in a tensor type.

    Made by the `gguf` package, or where that only reads the type by flashlm, or else of random
    quants with small scales, which have nothing to do with the numbers.
    """
    tensor_type = gguf.GGMLQuantizationType[kind]
    try:
        return np.asarray(gguf.quants.quantize(array, tensor_type))
    except NotImplementedError:
        name = kind.lower()
    if any(each.name == name and each.can_round for each in _core.number_formats()):
        numbers = np.ascontiguousarray(array, np.float32)
        return np.asarray(_core.requantise(numbers, "f32", name)[0])
    return random_blocks(kind, array.shape[0], array.shape[1], seed=array.shape[1])


_HALVES = {
    "MXFP4": (),
    "Q4_1": (0, 2),
    "Q5_1": (0, 2),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q6_K": (208,),
}


def halves(kind: str) -> tuple[int, ...]:
    """Where the halves of a block are that scale it: random bytes are numbers with these."""
    return _HALVES.get(kind, (0,))


def random_blocks(kind: str, rows: int, columns: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Rows of blocks with random quants, and scales for numbers of at most about 0.1."""
    numbers, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (rows * columns // numbers, size), np.uint8)
    if kind == "MXFP4":
        blocks[:, 0] = rng.integers(118, 124, len(blocks))
    else:
        for at in halves(kind):
            most = 1e-5 if kind.endswith(("_K", "_XS")) else 1e-3
            scales = rng.uniform(-most, most, (len(blocks), 1)).astype("<f2")
            blocks[:, at : at + 2] = scales.view(np.uint8)
    return blocks.reshape(rows, -1)


def write(
    c: Case,
    path: Path,
    kind: str = "F32",
    *,
    kinds: Mapping[str, str] | None = None,
    change: Callable[[gguf.GGUFWriter, dict[str, FloatArray]], None] | None = None,
    architecture: str = "llama",
) -> Path:
    """Writes the case as a GGUF file.

    Args:
        c: The case.
        path: Where to.
        kind: Tensor type of the matrices; vectors are F32.
        kinds: Tensor type of single tensors.
        change: May change tensors and add metadata before they are written.
        architecture: What general.architecture says.
    """
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_block_count(c.n_layers)
    writer.add_context_length(c.context)
    writer.add_embedding_length(c.dim)
    writer.add_feed_forward_length(c.hidden_dim)
    writer.add_head_count(c.n_heads)
    writer.add_head_count_kv(c.n_kv_heads)
    writer.add_layer_norm_rms_eps(c.epsilon)
    writer.add_rope_freq_base(c.rope_theta)
    writer.add_rope_dimension_count(c.actual_head_dim)
    if c.head_dim is not None:
        writer.add_key_length(c.head_dim)
        writer.add_value_length(c.head_dim)
    writer.add_vocab_size(c.vocab_size)
    _add_tokenizer(c, writer)
    arrays = tensors(c)
    if change is not None:
        change(writer, arrays)
    for name, array in arrays.items():
        wanted = (kinds or {}).get(name, kind if array.ndim > 1 else "F32")
        tensor_type = gguf.GGMLQuantizationType[wanted]
        writer.add_tensor(name, quantised(array, wanted), raw_dtype=tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def dequantised(c: Case, kind: str) -> dict[str, FloatArray]:
    """The weights by Hugging Face's names, after they went through a tensor type (vectors do not)."""
    tensor_type = gguf.GGMLQuantizationType[kind]
    result: dict[str, FloatArray] = {}
    for name, weight in random_llama.weights(c).items():
        if weight.ndim > 1:
            data = quantised(weight, kind)
            result[name] = np.asarray(
                gguf.quants.dequantize(data, tensor_type), np.float32
            ).reshape(weight.shape)
        else:
            result[name] = weight
    return result


def _add_tokenizer(c: Case, writer: gguf.GGUFWriter) -> None:
    model: dict[str, Any] = random_llama.tokenizer()["model"]
    words = sorted(model["vocab"], key=model["vocab"].__getitem__)
    words = words[: c.vocab_size]
    specials = (random_llama.BEGIN_OF_TEXT, random_llama.END_OF_TEXT)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    writer.add_token_types([3 if word in specials else 1 for word in words])
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_bos_token_id(c.vocab_size - 2)
    writer.add_eos_token_id(c.vocab_size - 1)
    writer.add_chat_template(TEMPLATE)

# SPDX-License-Identifier: Apache-2.0
"""_export.py: the weights of a synthetic model for other programs.

They are a GGUF file or a Hugging Face folder.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from flashlm import _core
from flashlm._core import ArgumentError
from flashlm._engine import checks
from flashlm._engine.checked_calls import checked
from flashlm._engine.files import io_error, scratch_folder
from flashlm.bench.synthetic import synthetic_source, vocabulary
from flashlm.packing.families import named
from flashlm.packing.sources.huggingface import SINGLE_FILE
from flashlm.packing.sources.source import Progress, Source

FORMATS = ("gguf", "hf")
_TORCH = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}  # torch's words for what it holds
_ROPE_THETA = 10000.0  # of configs that name none, as in transformers


@checked("bench")
def export(
    shape: str | os.PathLike[str],
    path: str | os.PathLike[str],
    format: str,  # noqa: A002 - the word for it
    *,
    dtype: str = "f16",
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Writes the weights of `flashlm.bench.synthesize` in the form of other programs.

    They are those that it gives the same arguments.

    Args:
        shape: A name in `flashlm.bench.shapes.SHAPES`, or the path of a config.json.
        path: The GGUF file, or the Hugging Face folder; must not exist.
        format: ``"gguf"``, for llama.cpp; or ``"hf"``, for transformers, which has no block
            formats: they become f32, exactly.
        dtype: The name of a number format (``"f32"``, ``"f16"``, ``"q8_0"``, ...).
        seed: As for `synthesize`.
        progress: Called as ``progress("export", done, total)``, in bytes.

    Returns:
        The path.

    Raises:
        ArgumentError: Another shape, format or dtype; or a GGUF of an architecture or activation
            that llama.cpp lacks.
        IoError: The path exists, or the disk is full.

    Example:
        >>> flashlm.bench.export("tiny/config.json", "tiny.gguf", "gguf")
        PosixPath('tiny.gguf')
    """
    if format not in FORMATS:
        raise ArgumentError(f"[bench] format: expected {' or '.join(FORMATS)}, got {format!r}")
    source = synthetic_source(shape, dtype, seed)
    config = json.loads(source.small_files["config.json"])
    target = checks.new_path(path, "path", where="bench")
    if format == "gguf":
        refuse_for_llama_cpp(config)
    try:
        if target.exists():
            raise FileExistsError(
                errno.EEXIST, "it exists already; remove it or choose another name", str(target)
            )
        with scratch_folder(target.parent, f"{target.name}.part-") as scratch:
            partial = scratch / target.name
            if format == "gguf":
                _write_gguf(source, config, partial, progress)
            else:
                _write_huggingface(source, config, partial, dtype, progress)
            partial.rename(target)
    except OSError as error:
        cause = (
            error if error.errno else OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        )  # numpy's short write
        raise io_error("export", cause, target, where="bench") from error
    return target


@checked("bench")
def refuse_for_llama_cpp(config: dict[str, Any]) -> None:
    """Raises ArgumentError, which names it, for what llama.cpp does not run.

    That is an architecture or an activation.
    """
    if config.get("model_type") == "opt" or config.get("architectures") == ["OPTForCausalLM"]:
        raise ArgumentError(
            "[bench] format: llama.cpp has no OPTForCausalLM; expected a Llama shape for a GGUF"
        )
    if config.get("hidden_act", "silu") != "silu":
        raise ArgumentError(
            f"[bench] format: llama.cpp's Llama has silu only, got hidden_act "
            f"{config['hidden_act']!r}; "
            "a GGUF would compute something else"
        )
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        raise ArgumentError(
            f"[bench] format: expected a shape without rope scaling for a GGUF, got {rope}"
        )


def _write_gguf(
    source: Source, config: dict[str, Any], path: Path, progress: Progress | None
) -> None:
    import gguf

    graph, family = source.graph, named(source.family)
    attention = graph.attention
    writer = gguf.GGUFWriter(path, str(family.gguf))
    writer.add_name(source.name)
    writer.add_context_length(graph.max_context)
    writer.add_embedding_length(graph.dim)
    writer.add_block_count(len(graph.layers))
    writer.add_feed_forward_length(graph.ffn.hidden)
    writer.add_head_count(attention.heads)
    writer.add_head_count_kv(attention.kv_heads)
    writer.add_key_length(attention.head_dim)
    writer.add_value_length(attention.head_dim)
    writer.add_rope_dimension_count(attention.head_dim)
    writer.add_rope_freq_base(
        {**config, **(config.get("rope_parameters") or {})}.get("rope_theta", _ROPE_THETA)
    )
    writer.add_layer_norm_rms_eps(graph.final_norm.epsilon)
    writer.add_vocab_size(graph.vocab_size)
    words = vocabulary(graph.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(words))
    writer.add_token_merges([f"{words[256][0]} {words[256][1]}"])
    writer.add_add_bos_token(False)
    for name, weight in source.weights.items():
        kind, theirs = gguf.GGMLQuantizationType[weight.kind], family.gguf_names.theirs(name)
        writer.add_tensor_info(
            theirs, weight.shape, np.dtype(np.float32), weight.n_bytes, raw_dtype=kind
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    tell = _Teller(source, progress)
    try:
        for name, weight in source.weights.items():
            stored = weight.stored(0, weight.n_rows)
            order = family.from_gguf(name, weight, graph)[name].order
            writer.write_tensor_data(
                stored if order is None else np.ascontiguousarray(stored[np.argsort(order)])
            )
            tell(weight.n_bytes)
    finally:
        writer.close()


def _write_huggingface(
    source: Source, config: dict[str, Any], folder: Path, dtype: str, progress: Progress | None
) -> None:
    folder.mkdir(parents=True)
    torch_dtype = _TORCH.get(dtype, "float32")
    held = dtype if dtype in _TORCH else "f32"
    (folder / "config.json").write_text(
        json.dumps({**config, "torch_dtype": torch_dtype}, indent=1), encoding="utf-8"
    )
    for name in ("tokenizer.json", "generation_config.json"):
        (folder / name).write_bytes(source.small_files[name])
    names = named(source.family).names
    weights = {names.theirs(name): weight for name, weight in source.weights.items()}
    specs = [
        (name, held if len(weight.shape) > 1 else "f32", list(weight.shape))
        for name, weight in weights.items()
    ]
    dtypes = {name: dtype for name, dtype, _ in specs}
    writer = _core.SafetensorsWriter(str(folder / SINGLE_FILE), specs, {"format": "pt"})
    tell = _Teller(source, progress)
    for name in writer.order():
        for begin, end in weights[name].runs():
            writer.write(name, weights[name].rows(begin, end, dtypes[name]))
        tell(weights[name].n_bytes)
    writer.finish()


class _Teller:
    """Counts the bytes that are written."""

    def __init__(self, source: Source, progress: Progress | None) -> None:
        self._total = sum(weight.n_bytes for weight in source.weights.values())
        self._done = 0
        self._progress = progress

    def __call__(self, n_bytes: int) -> None:
        self._done += n_bytes
        if self._progress is not None:
            self._progress("export", self._done, self._total)

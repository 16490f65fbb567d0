# SPDX-License-Identifier: Apache-2.0
"""huggingface.py: a Hugging Face folder of the Llama or OPT architecture (safetensors) as a source."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashlm._core import Error, FormatError, Safetensors
from flashlm.chat_template import ChatTemplate
from flashlm.packing.config import parse_config
from flashlm.packing.files import (
    check_engine_reads,
    parse_object,
    read_exactly,
    read_object,
    read_small,
    read_text_file,
)
from flashlm.packing.gpt2_tokenizer import MERGES, VOCAB, gpt2_tokenizer_json
from flashlm.packing.source import Source, Weight, match_tensors, untie
from flashlm.template_files import DEFAULT, FILES, NAMED, named_templates, template_files
from flashlm.turn_ends import turn_ends, with_ends

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
_OPT_PROJECTIONS = {
    "self_attn.q_proj": "q",
    "self_attn.k_proj": "k",
    "self_attn.v_proj": "v",
    "self_attn.out_proj": "o",
    "fc1": "up",
    "fc2": "down",
    "self_attn_layer_norm": "attention_norm",
    "final_layer_norm": "ffn_norm",
}


@dataclass(frozen=True)
class _Names:
    """What an architecture calls its tensors, and flashlm's names for them.

    A checkpoint may have been saved from an inner part of the model, so that the names of what is in it begin
    otherwise: those that OPT was published with lack the first part. transformers reads them all.
    """

    prefixes: tuple[str, ...]  # before every name but those of `top`; the first is transformers' own
    top: Mapping[str, str]
    body: Mapping[str, str]
    in_layer: Mapping[str, str]

    def ours(self, theirs: str) -> str | None:
        """The name that flashlm gives; None for a tensor that the architecture does not have."""
        if theirs in self.top:
            return self.top[theirs]
        for prefix in self.prefixes:
            rest = theirs.removeprefix(prefix)
            if not theirs.startswith(prefix):
                continue
            if rest in self.body:
                return self.body[rest]
            match = re.fullmatch(r"layers\.(0|[1-9][0-9]*)\.(.+)", rest)
            if match and match[2] in self.in_layer:
                return f"layers.{match[1]}.{self.in_layer[match[2]]}"
        return None

    def theirs(self, ours: str) -> str:
        """The architecture's name of a tensor that flashlm calls `ours`."""
        parts = ours.split(".", 2)
        top, body, in_layer = (
            {value: key for key, value in names.items()} for names in (self.top, self.body, self.in_layer)
        )
        if ours in top:
            return top[ours]
        rest = f"layers.{parts[1]}.{in_layer[parts[2]]}" if parts[0] == "layers" else body[ours]
        return self.prefixes[0] + rest


_NAMES = {
    "llama": _Names(
        prefixes=("model.", ""),
        top={"lm_head.weight": "head"},
        body={"embed_tokens.weight": "embedding", "norm.weight": "final_norm"},
        in_layer={
            "input_layernorm.weight": "attention_norm",
            "self_attn.q_proj.weight": "q",
            "self_attn.k_proj.weight": "k",
            "self_attn.v_proj.weight": "v",
            "self_attn.o_proj.weight": "o",
            "post_attention_layernorm.weight": "ffn_norm",
            "mlp.gate_proj.weight": "gate",
            "mlp.up_proj.weight": "up",
            "mlp.down_proj.weight": "down",
        },
    ),
    "opt": _Names(
        prefixes=("model.decoder.", "decoder."),
        top={"lm_head.weight": "head"},
        body={
            "embed_tokens.weight": "embedding",
            "embed_positions.weight": "positions",
            "final_layer_norm.weight": "final_norm",
            "final_layer_norm.bias": "final_norm_bias",
        },
        in_layer={f"{theirs}.weight": ours for theirs, ours in _OPT_PROJECTIONS.items()}
        | {f"{theirs}.bias": f"{ours}_bias" for theirs, ours in _OPT_PROJECTIONS.items()},
    ),
}
# Old checkpoints carry the rope frequencies, which follow from the config, and a version; transformers skips them too.
_DERIVED = re.compile(r"(model\.)?layers\.[0-9]+\.self_attn\.rotary_emb\.inv_freq|(model\.)?decoder\.version")
_DTYPES = {"F32": 4, "F16": 2, "BF16": 2}


def open_huggingface(folder: Path, name: str | None = None) -> Source:
    """Reads the configs and headers of a Hugging Face folder and checks that everything in it can be packed.

    Args:
        folder: Holds config.json, tokenizer.json and model.safetensors, or its parts and their index.
        name: What the model is called, if not as the folder.

    Raises:
        FormatError: Another architecture or feature, a tensor of another number format, a missing, misshapen or
            left-over tensor, a missing or broken file; names the file and the tensor or key.
        IoError: A file cannot be read.
    """
    config_path = folder / "config.json"
    config = read_object(config_path)
    sizes = parse_config(config, config_path)
    files, index = _weight_files(folder)
    headers = [_Header.open(file) for file in files]
    weights = _weights(headers, index, folder, _NAMES[sizes.architecture])
    small_files = _small_files(folder, config)
    if sizes.tied and untie(weights):
        sizes = dataclasses.replace(sizes, tied=False)
        small_files["config.json"] = (json.dumps(config | {"tie_word_embeddings": False}, indent=2) + "\n").encode()
    return Source(
        kind="huggingface",
        name=name or folder.resolve().name,
        config=sizes,
        weights=match_tensors(sizes, weights, folder),
        small_files=small_files,
        weight_files=files,
        header_sha256={header.path.name: header.sha256 for header in headers},
    )


@dataclass(frozen=True)
class _Header:
    """Where the tensors of one safetensors file are."""

    path: Path
    sha256: str
    weights: Mapping[str, Weight]

    @classmethod
    def open(cls, path: Path) -> _Header:
        file = Safetensors(str(path))  # checks the header; what follows only looks up places
        length = int.from_bytes(read_exactly(path, 0, 8), "little")
        text = read_exactly(path, 8, length)
        entries = parse_object(bytes(text), path)
        weights: dict[str, Weight] = {}
        for name in file.names():
            dtype, shape = file.dtype(name), tuple(file.shape(name))
            if _DERIVED.fullmatch(name):
                continue
            if dtype not in _DTYPES:
                raise FormatError(
                    f"[pack] number format: expected F32, F16 or BF16, got {dtype} ({path}, {name}). "
                    "Quantised safetensors are not supported."
                )
            if not shape or 0 in shape:
                raise FormatError(f"[pack] shape: expected no zero and no scalar, got {list(shape)} ({path}, {name})")
            offset = 8 + length + int(entries[name]["data_offsets"][0])
            row_bytes = _DTYPES[dtype]
            for size in shape[1:] if len(shape) > 1 else shape:
                row_bytes *= size
            weights[name] = Weight(name, path, dtype, shape, offset, row_bytes)
        return cls(path, hashlib.sha256(text).hexdigest(), weights)


def _weight_files(folder: Path) -> tuple[list[Path], dict[str, str] | None]:
    """The safetensors files of the model, and the index that says which tensor is where."""
    if (folder / INDEX_FILE).is_file():
        weight_map = _weight_map(folder / INDEX_FILE)
        return [folder / file for file in sorted(set(weight_map.values()))], weight_map
    if (folder / SINGLE_FILE).is_file():
        return [folder / SINGLE_FILE], None
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    if "adapter_model.safetensors" in names:
        hint = "The folder holds an adapter; merge it into its base model first."
    elif any(name.endswith((".bin", ".pth", ".pt")) for name in names):
        hint = "Weights in pickle files (.bin) can run code and are not read; save them again as safetensors."
    elif any(name.endswith(".gguf") for name in names):
        hint = "The folder holds GGUF files; pass one of them."
    else:
        hint = f"The folder holds: {', '.join(names[:10])}."
    raise FormatError(f"[pack] weights: expected {SINGLE_FILE} or {INDEX_FILE} ({folder}). {hint}")


def _weight_map(path: Path) -> dict[str, str]:
    """Tensor -> file, from the index."""
    weight_map = read_object(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise FormatError(f"[pack] index: expected an object weight_map ({path})")
    for tensor, file in weight_map.items():
        # The name is foreign: it must not lead out of the folder.
        if not isinstance(file, str) or Path(file).name != file or not file.endswith(".safetensors"):
            raise FormatError(
                f"[pack] index: expected the name of a safetensors file, got {file!r:.80} ({path}, {tensor})"
            )
        if not (path.parent / file).is_file():
            raise FormatError(f"[pack] index: {file} is missing ({path}, {tensor}). Was the download cut short?")
    return weight_map


def _weights(headers: list[_Header], index: Mapping[str, str] | None, folder: Path, names: _Names) -> dict[str, Weight]:
    """The tensors by flashlm's names. One that flashlm has no name for keeps its own, so that it is found left over."""
    result: dict[str, Weight] = {}
    for header in headers:
        for weight in header.weights.values():
            place = index.get(weight.name) if index is not None else header.path.name
            if place != header.path.name:
                raise FormatError(
                    f"[pack] index: expected {weight.name} in {place or 'no file'}, got {header.path.name} "
                    f"({folder / INDEX_FILE})"
                )
            ours = names.ours(weight.name) or f"?{weight.name}"
            if ours in result and not result[ours].equals(weight):
                raise FormatError(
                    f"[pack] tensors: {result[ours].name} and {weight.name} are two names of one tensor, and differ "
                    f"({weight.file})"
                )
            result[ours] = weight
    return result


def _small_files(folder: Path, config: Mapping[str, Any]) -> dict[str, bytes]:
    """The files that are copied as they are, and what can be derived where one is missing."""
    files = {
        file.relative_to(folder).as_posix(): read_text_file(file) if file.suffix == ".jinja" else read_small(file)
        for file in template_files(folder)
    }
    result = {name: data for name, data in files.items() if name in FILES}
    if (folder / "tokenizer.json").is_file():
        result["tokenizer.json"] = read_small(folder / "tokenizer.json")
    else:
        result["tokenizer.json"] = _older_tokenizer(folder, config)
    objects = {name: parse_object(data, folder / name) for name, data in result.items() if name.endswith(".json")}
    settings = objects.get("tokenizer_config.json", {})
    if DEFAULT not in result and isinstance(settings.get("chat_template"), str):
        result[DEFAULT] = settings["chat_template"].encode()
    if "added_tokens_decoder" in settings:
        result.pop("special_tokens_map.json", None)  # nobody reads it then
    named = named_templates(files, folder)
    if named:
        result[NAMED] = (json.dumps(named, ensure_ascii=False, indent=2) + "\n").encode()
    check_engine_reads(result, folder)  # before ids of one file stand in another
    _add_generation_config(result, objects)
    return result


def _add_generation_config(result: dict[str, bytes], objects: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes generation_config.json, which says what ends a text, where it is missing or lacks an end of a turn."""
    config = objects["config.json"]
    tokens = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id") if key in config}
    generation = objects.get("generation_config.json", tokens)
    added = objects["tokenizer.json"].get("added_tokens")
    control = {
        entry["content"]: entry["id"]
        for entry in (added if isinstance(added, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("content"), str) and isinstance(entry.get("id"), int)
    }
    ends: list[str] = []
    with contextlib.suppress(Error):  # without a template, or with a broken one, of which opening a chat tells
        template = ChatTemplate.parse(result)
        ends = turn_ends(control, template.sources.values(), template.special_tokens.get("eos_token"))
    full = with_ends(generation, config, control, ends)
    if full != generation or "generation_config.json" not in result:
        result["generation_config.json"] = (json.dumps(full, indent=2) + "\n").encode()


def _older_tokenizer(folder: Path, config: Mapping[str, Any]) -> bytes:
    """tokenizer.json, made from vocab.json and merges.txt."""
    if not (folder / VOCAB).is_file() and (folder / "tokenizer.model").is_file():
        raise FormatError(
            f"[pack] tokenizer: expected tokenizer.json of a byte-level BPE, got tokenizer.model ({folder}). "
            "SentencePiece is not read yet."
        )
    if not (folder / VOCAB).is_file() or not (folder / MERGES).is_file():
        raise FormatError(
            f"[pack] tokenizer: tokenizer.json is missing, and so is {VOCAB} with {MERGES} ({folder}). Write it with "
            "transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)."
        )
    document = gpt2_tokenizer_json(folder, adds_bos=config.get("model_type") == "opt")
    return (json.dumps(document, ensure_ascii=False) + "\n").encode()


def huggingface_name(name: str, architecture: str = "llama") -> str:
    """Hugging Face's name of a tensor that flashlm calls `name`."""
    return _NAMES[architecture].theirs(name)

# SPDX-License-Identifier: Apache-2.0
"""huggingface.py: a Hugging Face folder (safetensors) as a source, in the words of its family."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashlm._core import Error, FormatError, Safetensors
from flashlm._engine.files import (
    parse_object,
    read_exactly,
    read_object,
    read_small,
    read_text_file,
)
from flashlm.chat._template.files import DEFAULT, FILES, NAMED, named_templates, template_files
from flashlm.chat._template.turn_ends import turn_ends, with_ends
from flashlm.chat.chat_template import ChatTemplate
from flashlm.packing import families
from flashlm.packing.family import Family
from flashlm.packing.formats.fields import Fields
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Graph
from flashlm.packing.graph.tensors import tensors_of
from flashlm.packing.sources.source import Source, match_tensors, untie
from flashlm.packing.tokenizers.gpt2_tokenizer import MERGES, VOCAB, gpt2_tokenizer_json
from flashlm.packing.tokenizers.sentencepiece import MODEL, sentencepiece_json
from flashlm.packing.tokenizers.tokenizer import post_processor
from flashlm.packing.tokenizers.tokens import Tokens

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
_DTYPES = ("F32", "F16", "BF16")


def open_huggingface(
    folder: Path, name: str | None = None, remote: Sequence[Weight] | None = None
) -> Source:
    """Reads the configs and headers of a Hugging Face folder, and checks that all can be packed.

    Args:
        folder: Holds config.json, tokenizer.json and model.safetensors, or its parts and their
            index.
        name: What the model is called, if not as the folder.
        remote: Its tensors, where the files of weights are not in the folder: it can be looked at,
            and not be packed.

    Raises:
        FormatError: No family that runs, a feature or key that it lacks, a tensor of another number
            format, a missing, misshapen or left-over tensor, a missing or broken file; names the
            file and the tensor or key.
        IoError: A file cannot be read.
    """
    config_path = folder / "config.json"
    config = read_object(config_path)
    family, graph = graph_of_config(config, config_path)
    files, index = _weight_files(folder) if remote is None else ([], None)
    headers = [_Header.open(file) for file in files]
    found = _in_index(headers, index, folder, family) if remote is None else remote
    weights = _weights(found, family, graph)
    if graph.head.tied and untie(weights):
        graph = graph.untied()
    tensors = tensors_of(graph, config_path)
    inner = dict(family.section(config)) | {
        key: value for key, value in config.items() if value is not None
    }
    small_files, tokens = _small_files(folder, inner, family, graph)
    return Source(
        kind="huggingface",
        name=name or folder.resolve().name,
        family=family.name,
        graph=graph,
        tokens=tokens,
        tensors=tensors,
        weights=match_tensors(tensors, weights, graph, folder),
        small_files=small_files,
        weight_files=files,
        header_sha256={header.path.name: header.sha256 for header in headers},
    )


def graph_of_config(
    config: Mapping[str, Any], path: Path, *, strict: bool = True
) -> tuple[Family, Graph]:
    """The family of a config.json and the graph that it says.

    Args:
        config: The parsed file.
        path: Where it is from, for messages.
        strict: Whether keys that the family does not ask for are refused.

    Raises:
        FormatError: No family that runs, or a key that is wrong or not known.

    Example:
        >>> from pathlib import Path
        >>> graph_of_config({"architectures": ["BloomForCausalLM"]}, Path("config.json"))
        Traceback (most recent call last):
        ...
        flashlm.FormatError: [pack] architecture: expected one that runs, got BloomForCausalLM
        (config.json). ...
    """
    family = families.of_config(config, path)
    fields = Fields(family.section(config), path, strict=strict)
    graph = family.graph(fields)
    fields.finish(families.runs())
    return family, graph


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
            shape, (begin, end) = tuple(file.shape(name)), entries[name]["data_offsets"]
            row_bytes = (end - begin) // (shape[0] or 1 if len(shape) > 1 else 1)
            weights[name] = Weight(
                name, path, file.dtype(name), shape, 8 + length + begin, row_bytes
            )
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
        hint = (
            "Weights in pickle files (.bin) can run code and are not read; "
            "save them again as safetensors."
        )
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
        if (
            not isinstance(file, str)
            or Path(file).name != file
            or not file.endswith(".safetensors")
        ):
            raise FormatError(
                f"[pack] index: expected the name of a safetensors file, got {file!r:.80} ({path}, "
                f"{tensor})"
            )
        if not (path.parent / file).is_file():
            raise FormatError(
                f"[pack] index: {file} is missing ({path}, {tensor}). Was the download cut short?"
            )
    return weight_map


def read_headers(folder: Path) -> list[list[Weight]]:
    """The tensors of each file of weights, whatever model they are of.

    Raises FormatError, IoError.
    """
    return [list(_Header.open(file).weights.values()) for file in _weight_files(folder)[0]]


def _in_index(
    headers: Sequence[_Header], index: Mapping[str, str] | None, folder: Path, family: Family
) -> list[Weight]:
    """The tensors of the family, after a check that each is in the file that the index says."""
    result = []
    for header in headers:
        for weight in header.weights.values():
            if family.names.skips(weight.name):
                continue
            place = index.get(weight.name) if index is not None else header.path.name
            if place != header.path.name:
                raise FormatError(
                    f"[pack] index: expected {weight.name} in {place or 'no file'}, got "
                    f"{header.path.name} "
                    f"({folder / INDEX_FILE})"
                )
            result.append(weight)
    return result


def _weights(found: Sequence[Weight], family: Family, graph: Graph) -> dict[str, Weight]:
    """The tensors by flashlm's names.

    One that flashlm has no name for keeps its own, so that it is found left over.
    """
    result: dict[str, Weight] = {}
    for weight in found:
        if family.names.skips(weight.name):
            continue
        _check_form(weight)
        ours = family.names.ours(weight.name)
        parts = (
            {f"?{weight.name}": weight}
            if ours is None
            else family.from_huggingface(ours, weight, graph)
        )
        for name, part in parts.items():
            if name in result and not result[name].equals(part):
                raise FormatError(
                    f"[pack] tensors: {result[name].name} and {weight.name} are two names of one "
                    f"tensor, and differ "
                    f"({weight.file})"
                )
            result[name] = part
    return result


def _check_form(weight: Weight) -> None:
    if weight.kind not in _DTYPES:
        raise FormatError(
            f"[pack] number format: expected F32, F16 or BF16, got {weight.kind} ({weight.file}, "
            f"{weight.name}). "
            "Quantised safetensors are not supported."
        )
    if not weight.shape or 0 in weight.shape:
        raise FormatError(
            f"[pack] shape: expected no zero and no scalar, got {list(weight.shape)} "
            f"({weight.file}, {weight.name})"
        )


def _small_files(
    folder: Path, config: Mapping[str, Any], family: Family, graph: Graph
) -> tuple[dict[str, bytes], Tokens]:
    """The files that are copied as they are, and what can be derived where one is missing.

    Also what ends a text.
    """
    files = {
        file.relative_to(folder).as_posix(): read_text_file(file)
        if file.suffix == ".jinja"
        else read_small(file)
        for file in template_files(folder)
    }
    result = {name: data for name, data in files.items() if name in FILES}
    if (folder / "tokenizer.json").is_file():
        result["tokenizer.json"] = read_small(folder / "tokenizer.json")
    else:
        result["tokenizer.json"] = _older_tokenizer(folder, family)
    objects = {
        name: parse_object(data, folder / name)
        for name, data in result.items()
        if name.endswith(".json")
    }
    settings = objects.get("tokenizer_config.json", {})
    if DEFAULT not in result and isinstance(settings.get("chat_template"), str):
        result[DEFAULT] = settings["chat_template"].encode()
    if "added_tokens_decoder" in settings:
        result.pop("special_tokens_map.json", None)  # nobody reads it then
    named = named_templates(files, folder)
    if named:
        result[NAMED] = (json.dumps(named, ensure_ascii=False, indent=2) + "\n").encode()
    generation = objects.get("generation_config.json", {})
    Tokens.read(
        config, generation, graph.vocab_size, folder
    )  # before ids of one file stand in another
    full = _add_generation_config(result, config, objects, graph.vocab_size)
    return result, Tokens.read(config, full, graph.vocab_size, folder)


def _add_generation_config(
    result: dict[str, bytes],
    config: Mapping[str, Any],
    objects: Mapping[str, Mapping[str, Any]],
    n_rows: int,
) -> Mapping[str, Any]:
    """Writes generation_config.json, which says what ends a text.

    Only where it is missing or lacks an end of a turn.
    """
    tokens = {
        key: config[key]
        for key in ("bos_token_id", "eos_token_id", "pad_token_id")
        if key in config
    }
    generation = objects.get("generation_config.json", tokens)
    added = objects["tokenizer.json"].get("added_tokens")
    control = {
        entry["content"]: entry["id"]
        for entry in (added if isinstance(added, list) else ())
        if isinstance(entry, dict)
        and isinstance(entry.get("content"), str)
        and isinstance(entry.get("id"), int)
    }
    ends: list[str] = []
    with contextlib.suppress(
        Error
    ):  # without a template, or with a broken one, of which opening a chat tells
        template = ChatTemplate.parse(result)
        ends = turn_ends(
            control, template.sources.values(), template.special_tokens.get("eos_token")
        )
    full = with_ends(generation, {**config, "vocab_size": n_rows}, control, ends)
    if full != generation or "generation_config.json" not in result:
        result["generation_config.json"] = (json.dumps(full, indent=2) + "\n").encode()
    return full


def _older_tokenizer(folder: Path, family: Family) -> bytes:
    """tokenizer.json, made from tokenizer.model, or from vocab.json and merges.txt."""
    if not (folder / VOCAB).is_file() and (folder / MODEL).is_file():
        pieces = sentencepiece_json(folder, adds_bos=True, post_processor=post_processor)
        return (json.dumps(pieces, ensure_ascii=False) + "\n").encode()
    if not (folder / VOCAB).is_file() or not (folder / MERGES).is_file():
        raise FormatError(
            f"[pack] tokenizer: tokenizer.json is missing, and so is {VOCAB} with {MERGES} "
            f"({folder}). Write it with "
            "transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)."
        )
    document = gpt2_tokenizer_json(folder, adds_bos=family.begins_with_bos)
    return (json.dumps(document, ensure_ascii=False) + "\n").encode()

# SPDX-License-Identifier: Apache-2.0
"""gguf.py: a GGUF file as a source.

Its graph in the words of its family, its tokenizer, template and weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from flashlm._core import FormatError
from flashlm.chat._template.files import DEFAULT, NAMED
from flashlm.chat._template.turn_ends import turn_ends, with_ends
from flashlm.packing import families
from flashlm.packing.family import Family
from flashlm.packing.formats.dtypes import NATIVE
from flashlm.packing.formats.gguf_header import GgufHeader
from flashlm.packing.formats.gguf_metadata import Metadata
from flashlm.packing.formats.gguf_parts import read_parts
from flashlm.packing.formats.weight import Weight
from flashlm.packing.graph import Graph
from flashlm.packing.graph.tensors import tensors_of
from flashlm.packing.sources.source import Source, match_tensors, untie
from flashlm.packing.tokenizers.tokenizer import tokenizer_json
from flashlm.packing.tokenizers.tokens import Tokens

_NO_TOKEN = 0xFFFFFFFF  # llama.cpp's -1: there is no such token
_TEMPLATE = "tokenizer.chat_template"
_CONTROL = (3, 4)  # control and user-defined tokens


def open_gguf(path: Path) -> Source:
    """Reads the header of a GGUF file and checks that everything in it can be packed.

    Raises:
        FormatError: No family that runs, a feature or key that it lacks, an unknown tensor type, a
            missing, misshapen or left-over tensor, a broken header; names the file and the tensor
            or key.
        IoError: The file cannot be read.
    """
    headers = read_parts(path)
    header = headers[0]
    family = families.of_gguf(header.metadata.get("general.architecture"), path)
    metadata = Metadata(header, str(family.gguf))
    graph = family.gguf_graph(metadata)
    metadata.finish(families.runs())
    weights = _weights(header, family, graph)
    if graph.head.tied:
        untie(weights)
    tensors = tensors_of(graph, path)
    generation, tokens = _generation_config(header, graph.vocab_size)
    small_files = {
        "generation_config.json": _json(generation),
        "tokenizer.json": json.dumps(tokenizer_json(header.metadata), ensure_ascii=False).encode(),
    }
    named = _templates(header)
    if "default" in named:
        small_files[DEFAULT] = named.pop("default").encode()
    if named:
        small_files[NAMED] = _json(named)
    return Source(
        kind="gguf",
        name=path.name,
        family=family.name,
        graph=graph,
        tokens=tokens,
        tensors=tensors,
        weights=match_tensors(tensors, weights, graph, path),
        small_files=small_files,
        weight_files=tuple(part.path for part in headers),
        header_sha256={part.path.name: part.sha256 for part in headers},
    )


def _generation_config(header: GgufHeader, n_rows: int) -> tuple[dict[str, Any], Tokens]:
    """Where generation begins and ends.

    A chat model ends at its end-of-turn token as well as at the end of text.

    What else the metadata name (unknown, separator, mask) is used by nothing, and may be anything.
    """
    own = {
        key: token for key in ("bos", "eos") if (token := _token(header, key, n_rows)) is not None
    }
    ends = [own.get("eos")]
    ends += [header.metadata.get(f"tokenizer.ggml.{key}_token_id") for key in ("eot", "eom")]
    known = [end for end in ends if isinstance(end, int) and 0 <= end < n_rows]
    result: dict[str, Any] = {"bos_token_id": own["bos"]} if "bos" in own else {}
    padding = header.metadata.get("tokenizer.ggml.padding_token_id")
    if isinstance(padding, int) and not isinstance(padding, bool) and 0 <= padding < n_rows:
        result["pad_token_id"] = padding
    if known:
        result["eos_token_id"] = list(dict.fromkeys(known)) if len(set(known)) > 1 else known[0]
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    types = header.metadata.get("tokenizer.ggml.token_type")
    control: dict[str, int] = {}
    if isinstance(tokens, list) and isinstance(types, list):
        of_kind = zip(tokens, types, strict=False)
        control = {text: token for token, (text, kind) in enumerate(of_kind) if kind in _CONTROL}
    config = {"vocab_size": n_rows} | ({"eos_token_id": own["eos"]} if "eos" in own else {})
    result = with_ends(result, config, control, turn_ends(control, _templates(header).values()))
    return result, Tokens.read(result, result, n_rows, header.path)


def _token(header: GgufHeader, key: str, n_rows: int) -> int | None:
    name = f"tokenizer.ggml.{key}_token_id"
    token = header.metadata.get(name, _NO_TOKEN)
    if token in (_NO_TOKEN, -1):
        return None
    if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token < n_rows:
        raise _error(header, f"metadata: expected {name} below {n_rows}, got {token!r:.80}")
    return token


def _templates(header: GgufHeader) -> dict[str, str]:
    """The chat templates by name; the key of the default one ends without a name."""
    return {
        key.removeprefix(_TEMPLATE).removeprefix(".") or "default": value
        for key, value in header.metadata.items()
        if (key == _TEMPLATE or key.startswith(f"{_TEMPLATE}.")) and isinstance(value, str)
    }


def _weights(header: GgufHeader, family: Family, graph: Graph) -> dict[str, Weight]:
    """The tensors by flashlm's names.

    One that flashlm has no name for keeps its own, so that it is found left over.
    """
    result: dict[str, Weight] = {}
    for tensor in header.tensors.values():
        if family.gguf_names.skips(tensor.name):
            continue
        if not _can_decode(tensor.kind):
            raise _error(
                header,
                f"tensor type: {tensor.kind} is not supported, expected {', '.join(NATIVE)}, or "
                f"another type that the "
                "gguf package decodes",
                tensor.name,
            )
        weight = Weight(
            tensor.name, tensor.file, tensor.kind, tensor.shape, tensor.offset, tensor.row_bytes
        )
        name = family.gguf_names.ours(tensor.name)
        result |= (
            {f"?{tensor.name}": weight} if name is None else family.from_gguf(name, weight, graph)
        )
    return result


def _can_decode(kind: str) -> bool:
    if kind in ("F32", "F16", "BF16"):
        return True
    tensor_type = gguf.GGMLQuantizationType[kind]
    try:
        gguf.quants.dequantize(
            np.zeros((1, gguf.GGML_QUANT_SIZES[tensor_type][1]), np.uint8), tensor_type
        )
    except NotImplementedError:
        return False
    return True


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _error(header: GgufHeader, message: str, tensor: str | None = None) -> FormatError:
    return FormatError(f"[gguf] {message} ({header.path}{', ' + tensor if tensor else ''})")

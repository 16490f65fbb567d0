# SPDX-License-Identifier: Apache-2.0
"""files.py: the files of a model folder that a chat template is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flashlm._core import FormatError, Tokenizer

DEFAULT = "chat_template.jinja"
NAMED = "chat_templates.json"
"""The templates beside the default one, by name, in a packed folder, which is flat."""
NAMED_FOLDER = "additional_chat_templates"
FILES = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "config.json",
    "generation_config.json",
    DEFAULT,
    NAMED,
)
"""What `ChatTemplate.open` reads, besides ``*.jinja`` in `NAMED_FOLDER`; what packing keeps too."""


def template_files(folder: Path) -> list[Path]:
    """The files of a model folder that `ChatTemplate.open` reads."""
    named = sorted((folder / NAMED_FOLDER).glob("*.jinja"))
    return [file for file in [*(folder / name for name in FILES), *named] if file.is_file()]


def named_templates(files: Mapping[str, bytes], folder: Path) -> dict[str, str]:
    """The templates by name that have files of their own.

    Errors as those of `ChatTemplate.parse`.
    """
    sources: dict[str, str] = {}
    for key, value in read_json(files, folder, NAMED).items():
        if not isinstance(value, str):
            raise FormatError(
                f"[chat_template] {key}: expected a template, got {type(value).__name__} "
                f"({folder / NAMED})."
            )
        sources[key] = value
    for file in sorted(files):
        if file.startswith(f"{NAMED_FOLDER}/"):
            sources[Path(file).stem] = _read_text(files, folder, file)
    return sources


def all_templates(
    files: Mapping[str, bytes], folder: Path, settings: Mapping[str, Any]
) -> dict[str, str]:
    """All templates by name.

    As in transformers, those of tokenizer_config.json do not count beside a file.
    """
    sources: dict[str, str] = {}
    listed = settings.get("chat_template")
    if DEFAULT in files:
        sources["default"] = _read_text(files, folder, DEFAULT)
    elif isinstance(listed, str):
        sources["default"] = listed
    elif isinstance(listed, list):
        for entry in listed:
            if not isinstance(entry, dict) or not all(
                isinstance(entry.get(k), str) for k in ("name", "template")
            ):
                raise FormatError(
                    "[chat_template] chat_template: expected a list of {name, template}, got "
                    f"{entry!r} ({folder / 'tokenizer_config.json'})."
                )
            sources[entry["name"]] = entry["template"]
    return {**sources, **named_templates(files, folder)}


def named_tokens(
    files: Mapping[str, bytes],
    folder: Path,
    settings: Mapping[str, Any],
    tokenizer: Tokenizer | None,
) -> dict[str, str]:
    """The special tokens by name: from tokenizer_config.json, else by ids in the configs."""
    tokens: dict[str, str] = {}
    if tokenizer is not None:
        for file in ("config.json", "generation_config.json"):
            config = read_json(files, folder, file)
            for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
                value = config.get(f"{name}_id")
                first = value[0] if isinstance(value, list) and value else value
                if (
                    isinstance(first, int)
                    and not isinstance(first, bool)
                    and 0 <= first < tokenizer.vocab_size
                ):
                    tokens.setdefault(name, tokenizer.decode([first]))
    if "added_tokens_decoder" not in settings:  # a folder of an older version of transformers
        settings = {**settings, **read_json(files, folder, "special_tokens_map.json")}
    extra = settings.get("extra_special_tokens")
    for name, value in [*settings.items(), *(extra.items() if isinstance(extra, dict) else ())]:
        spelled = value.get("content") if isinstance(value, dict) else value
        if name.endswith("_token") and isinstance(spelled, str):
            tokens[name] = spelled
    return tokens


def _read_text(files: Mapping[str, bytes], folder: Path, name: str) -> str:
    try:
        # As a text file is read: every line end is \n.
        return files[name].decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"[chat_template] text: expected UTF-8, got byte {error.object[error.start]:#04x} at "
            f"{error.start} ({folder / name})."
        ) from error


def read_json(files: Mapping[str, bytes], folder: Path, name: str) -> dict[str, Any]:
    """The object in a file, empty where there is none; errors as those of `ChatTemplate.parse`."""
    if name not in files:
        return {}
    try:
        value = json.loads(_read_text(files, folder, name))
    except ValueError as error:
        raise FormatError(f"[chat_template] json: {error} ({folder / name}).") from error
    if not isinstance(value, dict):
        raise FormatError(
            f"[chat_template] json: expected an object, got {type(value).__name__} "
            f"({folder / name})."
        )
    return value

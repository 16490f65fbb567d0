# SPDX-License-Identifier: Apache-2.0
"""The families of models that run, one a file, found by being there (docs/families.md)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from flashlm._core import FormatError
from flashlm.packing.family import Family
from flashlm.packing.formats.fields import brief


@cache
def known() -> tuple[Family, ...]:
    """All families, by name."""
    found = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        found += [
            value()
            for value in vars(loaded).values()
            if isinstance(value, type)
            and issubclass(value, Family)
            and value.__module__ == loaded.__name__
        ]
    return tuple(found)


def runs() -> str:
    """Which models run, as the last sentence of a refusal."""
    listed = ", ".join(family.name for family in known())
    folders = " and ".join(family.name for family in known() if family.gguf is None)
    kinds = f"as Hugging Face folders and, all but {folders}, as GGUF"
    return f"What runs is {listed}, {kinds}, with a byte-level BPE tokenizer."


def named(name: str) -> Family:
    """The family of that name. Raises FormatError for another."""
    for family in known():
        if family.name == name:
            return family
    raise FormatError(
        f"[pack] family: expected {', '.join(each.name for each in known())}, got {brief(name)}"
    )


def of_config(config: Mapping[str, Any], path: object) -> Family:
    """The family of a config.json by its `model_type`.

    That must be the one of its `architectures`, if it names any.

    Raises:
        FormatError: None that runs; the message names those that do.
    """
    of_architecture = {
        each: (family, kind) for family in known() for kind, each in family.architectures.items()
    }
    names, model_type = config.get("architectures"), config.get("model_type")
    if names is None and model_type is None:
        raise FormatError(
            f"[pack] architecture: expected one that runs, the file names none ({path}). {runs()}"
        )
    if names is not None and (
        not isinstance(names, list) or len(names) != 1 or str(names[0]) not in of_architecture
    ):
        got = ", ".join(map(str, names)) if isinstance(names, list) and names else brief(names)
        raise FormatError(
            f"[pack] architecture: expected one that runs, got {got} ({path}). {runs()}"
        )
    if names is not None:
        family, expected = of_architecture[names[0]]
        if model_type == expected:
            return family
        raise FormatError(
            f"[pack] architecture: expected model_type {expected}, got {brief(model_type)} "
            f"({path}), "
            f"since architectures has {names[0]}."
        )
    for family in known():
        if isinstance(model_type, str) and model_type in family.architectures:
            return family
    raise FormatError(
        f"[pack] architecture: expected a model_type that runs, got {brief(model_type)} ({path}). "
        f"{runs()}"
    )


def of_gguf(architecture: object, path: object) -> Family:
    """The family of a GGUF's `general.architecture`. Raises FormatError, as `of_config` does."""
    for family in known():
        if family.gguf is not None and family.gguf == architecture:
            return family
    hint = runs()
    for family in known():
        if family.gguf is None and architecture in family.architectures:
            hint = (
                f"llama.cpp has no {family.name}, so there is no such GGUF. "
                "Pack its Hugging Face folder."
            )
    raise FormatError(
        f"[gguf] architecture: expected one that runs, got {architecture!r:.80} ({path}). {hint}"
    )

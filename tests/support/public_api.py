# SPDX-License-Identifier: Apache-2.0
"""public_api.py: what users can name: the package's names, their members, and the functions of its public modules."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import types
from collections.abc import Iterator

import flashlm
from flashlm import (
    chat_template,
    context_size,
    demo,
    home,
    kept_tokens,
    language_model,
    papers,
    plot,
    shapes,
    summarize,
    tool_calls,
)
from flashlm.bench import floors, planted, report, synthetic

MODULES = [
    *(
        chat_template,
        context_size,
        demo,
        home,
        kept_tokens,
        language_model,
        papers,
        plot,
        summarize,
        tool_calls,
    ),
    *(floors, shapes, importlib.import_module("flashlm.bench.export"), planted, report, synthetic),
]
with contextlib.suppress(ModuleNotFoundError):
    from flashlm import smolagents

    MODULES.append(smolagents)


def public_objects() -> Iterator[tuple[str, object]]:
    """Names and what they name."""
    for name in flashlm.__all__:
        value = getattr(flashlm, name)
        yield f"flashlm.{name}", value
        if inspect.isclass(value):
            for member in dir(value):
                of_python = any(hasattr(parent, member) for parent in (object, OSError))
                if not member.startswith("_") and not of_python:
                    yield f"flashlm.{name}.{member}", inspect.getattr_static(value, member)
    for module in MODULES:
        yield from module_objects(module)


def module_objects(module: types.ModuleType) -> Iterator[tuple[str, object]]:
    """A module's own public functions; of flashlm.smolagents also its classes, with what they have examples of."""
    for name, value in vars(module).items():
        home_module = f"{getattr(value, '__module__', None)}."
        if name.startswith("_") or not home_module.startswith(f"{module.__name__}."):
            continue
        if inspect.isfunction(value):
            yield f"{module.__name__}.{name}", value
        elif inspect.isclass(value) and module.__name__ == "flashlm.smolagents":
            yield f"{module.__name__}.{name}", value
            for member, of_class in vars(value).items():
                if not member.startswith("_") and ">>>" in (
                    getattr(of_class, "__doc__", None) or ""
                ):
                    yield f"{module.__name__}.{name}.{member}", of_class

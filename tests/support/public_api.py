# SPDX-License-Identifier: Apache-2.0
"""public_api.py: what users can name: the package's names, their members, and the functions of its public modules."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import types
from collections.abc import Iterator

import flashlm


def public_modules() -> Iterator[types.ModuleType]:
    """Modules that users may name: those without an underscore, but for the packer's rooms."""
    for found in pkgutil.walk_packages(flashlm.__path__, "flashlm."):
        if any(part.startswith("_") for part in found.name.split(".")):
            continue
        if found.name.startswith("flashlm.packing."):
            continue
        with contextlib.suppress(ModuleNotFoundError):  # an extra that is not installed
            yield importlib.import_module(found.name)


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
    seen = set()
    for module in public_modules():  # a package before its modules, and so the shorter name
        for name, value in module_objects(module):
            if id(value) not in seen:
                seen.add(id(value))
                yield name, value


def module_objects(module: types.ModuleType) -> Iterator[tuple[str, object]]:
    """A module's own public functions; of flashlm.smolagents also its classes, with what they have examples of."""
    for name, value in vars(module).items():
        home_module = f"{getattr(value, '__module__', None)}."
        listed = name in getattr(module, "__all__", [name])
        if name.startswith("_") or not listed or not home_module.startswith(f"{module.__name__}."):
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

# SPDX-License-Identifier: Apache-2.0
"""The package is light to import, and what it lists is what it has."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys
import types

import pytest

import flashlm
from public_api import public_modules

HEAVY = (
    "torch",
    "transformers",
    "matplotlib",
    "huggingface_hub",
    "gguf",
    "typer",
    "rich",
    "jinja2",
    "tokenizers",
)


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout


def test_the_import_brings_no_heavy_package() -> None:
    loaded = run(f"import sys, flashlm; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert loaded.strip() == "[]"


@pytest.mark.slow
def test_the_import_costs_no_more_than_twice_that_of_numpy() -> None:
    timed = """
import time
clock = time.process_time  # of computing, whatever else the machine does
start = clock()
import numpy
middle = clock()
import flashlm
print((clock() - middle) / (middle - start))
"""
    assert any(float(run(timed)) < 2 for _ in range(20))


def test_what_is_listed_is_what_is_public() -> None:
    program = """
import types, flashlm
for name in dir(flashlm):  # those that come when they are first used, too
    getattr(flashlm, name)
names = {n for n, v in vars(flashlm).items() if not n.startswith("_") and not isinstance(v, types.ModuleType)}
print(sorted(names ^ set(flashlm.__all__)))
"""
    assert run(program).strip() == "['__version__']"
    assert flashlm.__all__ == sorted(flashlm.__all__)


@pytest.mark.parametrize("module", [*public_modules()], ids=lambda module: module.__name__)
def test_no_function_takes_the_name_of_a_module(module: types.ModuleType) -> None:
    """Else `import flashlm.x` and `flashlm.x` are two things."""
    children = {found.name for found in pkgutil.iter_modules(getattr(module, "__path__", ()))}
    assert not {name for name in children & vars(module).keys() if callable(getattr(module, name))}


@pytest.mark.parametrize("name", flashlm.__all__)
def test_a_listed_name_is_there_and_says_it_is_of_flashlm(name: str) -> None:
    value = getattr(flashlm, name)
    assert name in dir(flashlm)
    if not isinstance(value, (str, types.ModuleType)):
        assert value.__module__ == "flashlm"
        assert value.__name__ == name


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'flashlm' has no attribute 'ghost'"):
        _ = flashlm.ghost


def test_errors_are_what_other_code_catches() -> None:
    parents = {
        "IoError": OSError,
        "FormatError": ValueError,
        "ShapeError": ValueError,
        "ArgumentError": ValueError,
        "BudgetError": MemoryError,
    }
    for name, parent in parents.items():
        assert issubclass(getattr(flashlm, name), (flashlm.Error,))
        assert issubclass(getattr(flashlm, name), parent)


def test_every_public_function_has_types() -> None:
    for name in flashlm.__all__:
        value = getattr(flashlm, name)
        if inspect.isfunction(value):
            assert "return" in value.__annotations__, name

# SPDX-License-Identifier: Apache-2.0
"""The stubs of flashlm._core name what the module holds: every class, member, parameter and default."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

from flashlm import _core

STUBS = Path(__file__).resolve().parent.parent.parent / "python" / "flashlm" / "_core.pyi"
TREE = ast.parse(STUBS.read_text(encoding="utf-8"))
CLASSES = {node.name: node for node in TREE.body if isinstance(node, ast.ClassDef)}
FUNCTIONS = {node.name: node for node in TREE.body if isinstance(node, ast.FunctionDef)}
SPECIAL = {"__init__", "__iter__", "__next__", "__len__", "__getitem__"}  # of the others Python has its own


def is_public(name: str) -> bool:
    return not name.startswith("_") or name in SPECIAL


def members(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}


def decorators(node: ast.FunctionDef) -> list[str]:
    return [ast.unparse(decorator) for decorator in node.decorator_list]


def parameters(node: ast.FunctionDef) -> list[tuple[str, bool, Any]]:
    """Name, whether it is keyword-only, and the default, of every parameter but self."""
    plain = [*node.args.posonlyargs, *node.args.args]
    defaults = [None] * (len(plain) - len(node.args.defaults)) + list(node.args.defaults)
    found = [(argument.arg, False, default) for argument, default in zip(plain, defaults, strict=True)]
    found += [
        (argument.arg, True, default)
        for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    ]
    return [
        (name, keyword_only, "required" if default is None else ast.literal_eval(default))
        for name, keyword_only, default in found
        if name != "self"
    ]


def signature(function: object) -> ast.FunctionDef:
    """What pybind11 wrote into the first line of a docstring; a C++ type there is a binding without its converter."""
    line = (getattr(function, "__doc__", None) or "").splitlines()[0]
    (node,) = ast.parse(f"def {line}: ...").body
    assert isinstance(node, ast.FunctionDef)
    return node


def test_the_stubs_have_the_names_of_the_module() -> None:
    named = {name for name in vars(_core) if is_public(name)}
    variables = {node.target.id for node in TREE.body if isinstance(node, ast.AnnAssign) and node.target.id}  # type: ignore[union-attr]
    assert set(CLASSES) | set(FUNCTIONS) | variables == named


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_parameters_of_the_module(name: str) -> None:
    assert parameters(FUNCTIONS[name]) == parameters(signature(getattr(_core, name)))


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_the_parents_of_the_module(name: str) -> None:
    parents = [ast.unparse(base) for base in CLASSES[name].bases] or ["pybind11_object"]
    assert parents == [base.__name__ for base in getattr(_core, name).__bases__]


@pytest.mark.parametrize("name", [name for name in CLASSES if not issubclass(getattr(_core, name), Exception)])
def test_a_class_has_the_members_of_the_module(name: str) -> None:
    bound = {member for member in vars(getattr(_core, name)) if is_public(member)}
    if (getattr(_core, name).__init__.__doc__ or "").startswith("Initialize self"):
        bound.discard("__init__")
    assert set(members(CLASSES[name])) == bound


@pytest.mark.parametrize(
    ("name", "member"),
    [
        (name, member)
        for name, node in CLASSES.items()
        for member in members(node)
        if member not in {"__iter__", "__next__"}
    ],
)
def test_a_member_is_the_same_in_the_module(name: str, member: str) -> None:
    node = members(CLASSES[name])[member]
    value = inspect.getattr_static(getattr(_core, name), member)
    assert isinstance(value, property) == ("property" in decorators(node))
    assert isinstance(value, staticmethod) == ("staticmethod" in decorators(node))
    if not isinstance(value, property):
        assert parameters(node) == parameters(signature(getattr(getattr(_core, name), member)))

# SPDX-License-Identifier: Apache-2.0
"""The stubs of the extension modules name what these hold.

They name every class, member, parameter and default.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

PACKAGE = Path(__file__).resolve().parents[3] / "python" / "flashlm"
MODULES = ["_core", "_net", "_pdf"]
TREES = {name: ast.parse((PACKAGE / f"{name}.pyi").read_text(encoding="utf-8")) for name in MODULES}
ALL_CLASSES = {
    (module, node.name): node
    for module, tree in TREES.items()
    for node in tree.body
    if isinstance(node, ast.ClassDef)
}
CLASSES = {
    key: node for key, node in ALL_CLASSES.items() if not key[1].startswith("_")
}  # others only name types
FUNCTIONS = {
    (module, node.name): node
    for module, tree in TREES.items()
    for node in tree.body
    if isinstance(node, ast.FunctionDef)
}
SPECIAL = {
    "__init__",
    "__iter__",
    "__next__",
    "__len__",
    "__getitem__",
}  # of the others Python has its own


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
    found = [
        (argument.arg, False, default) for argument, default in zip(plain, defaults, strict=True)
    ]
    found += [
        (argument.arg, True, default)
        for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    ]
    named = [
        (name, keyword_only, "required" if default is None else ast.literal_eval(default))
        for name, keyword_only, default in found
        if name != "self"
    ]
    return [*named, *((name, True, ANY) for name in options(node))]


def options(node: ast.FunctionDef) -> list[str]:
    """Names in the TypedDict of ``**options: Unpack[...]``.

    What they are by default, the engine's table says.
    """
    kind = node.args.kwarg and node.args.kwarg.annotation
    if not isinstance(kind, ast.Subscript):
        return []
    (names,) = [tree for (_, name), tree in ALL_CLASSES.items() if name == ast.unparse(kind.slice)]
    return [
        item.target.id
        for item in names.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]


def signature(function: object) -> ast.FunctionDef:
    """What pybind11 wrote into the first line of a docstring.

    A C++ type there is a binding without its converter.
    """
    line = (getattr(function, "__doc__", None) or "").splitlines()[0]
    (node,) = ast.parse(f"def {line}: ...").body
    assert isinstance(node, ast.FunctionDef)
    return node


def bound(module: str, name: str | None = None) -> Any:
    """An extension module, or what it holds; a test of one that was not built here is skipped."""
    found = pytest.importorskip(f"flashlm.{module}")
    return found if name is None else getattr(found, name)


@pytest.mark.parametrize("module", MODULES)
def test_the_stubs_have_the_names_of_the_module(module: str) -> None:
    named = {name for name in vars(bound(module)) if is_public(name)}
    variables = {node.target.id for node in TREES[module].body if isinstance(node, ast.AnnAssign)}  # type: ignore[union-attr]
    assert {name for home, name in [*CLASSES, *FUNCTIONS] if home == module} | variables == named


@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
def test_a_function_has_the_parameters_of_the_module(module: str, name: str) -> None:
    assert parameters(FUNCTIONS[module, name]) == parameters(signature(bound(module, name)))


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_a_class_has_the_parents_of_the_module(module: str, name: str) -> None:
    parents = [ast.unparse(base) for base in CLASSES[module, name].bases] or ["pybind11_object"]
    assert parents == [base.__name__ for base in bound(module, name).__bases__]


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_a_class_has_the_members_of_the_module(module: str, name: str) -> None:
    if issubclass(bound(module, name), Exception):
        return
    found = {member for member in vars(bound(module, name)) if is_public(member)}
    if (bound(module, name).__init__.__doc__ or "").startswith("Initialize self"):
        found.discard("__init__")
    assert set(members(CLASSES[module, name])) == found


@pytest.mark.parametrize(
    ("module", "name", "member"),
    [
        (module, name, member)
        for (module, name), node in CLASSES.items()
        for member in members(node)
        if member not in {"__iter__", "__next__"}
    ],
)
def test_a_member_is_the_same_in_the_module(module: str, name: str, member: str) -> None:
    node = members(CLASSES[module, name])[member]
    value = inspect.getattr_static(bound(module, name), member)
    assert isinstance(value, property) == ("property" in decorators(node))
    assert isinstance(value, staticmethod) == ("staticmethod" in decorators(node))
    if not isinstance(value, property):
        assert parameters(node) == parameters(signature(getattr(bound(module, name), member)))

# SPDX-License-Identifier: Apache-2.0
"""The rooms of python/flashlm.

Imports run one way, folders are small, and private modules say so.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PYTHON = Path(__file__).resolve().parents[2] / "python"
PACKAGE = PYTHON / "flashlm"

# Rooms of flashlm, lowest first; a line is one floor. A module imports its own room or a lower
# floor. Modules of the face and of packing/ and _cli/ themselves stand here by their names.
LAYERS = [
    ["_core", "_net", "_pdf"],
    ["_engine"],
    ["chat._template"],
    ["chat"],
    ["packing.graph"],
    ["packing.formats"],
    ["packing.tokenizers", "packing.family"],
    ["packing.families"],
    ["packing.sources"],
    ["packing"],
    ["home"],
    ["planning"],
    ["_speaker"],
    ["session"],
    ["language_model"],
    ["agents", "training", "papers"],
    ["bench", "plot", "demo", "smolagents"],
    [""],  # flashlm itself
    ["_cli.terminal"],
    ["_cli.text", "_cli.model", "_cli.measuring"],
    ["_cli"],
    ["__main__"],
]
FLOOR = {room: floor for floor, rooms in enumerate(LAYERS) for room in rooms}
EXTENSIONS = ("_core", "_net", "_pdf")
MANY = {"packing/families"}  # a file a family
MOST_FILES = 12
MOST_FLOORS = 6
# Types alone: `Session.model` is the model that made the session.
TYPES_ALONE = {("session", "language_model")}


def module_of(path: Path) -> str:
    """`chat.request` of python/flashlm/chat/request.py; "" is flashlm itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    """The longest name in `LAYERS` that a module begins with."""
    parts = module.split(".")
    names = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((name for name in names if name in FLOOR), "?") if module else ""


@cache
def imported(module: str) -> frozenset[str]:
    """The modules of flashlm that a module imports: at its top, in a function, for types."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            for each in node.names:
                whole = f"{node.module}.{each.name}".removeprefix("flashlm.")
                known = whole in MODULES or whole in EXTENSIONS
                found.add(f"flashlm.{whole}" if known else node.module)
    inside = {name for name in found if name.split(".")[0] == "flashlm"}
    return frozenset(name.removeprefix("flashlm").lstrip(".") for name in inside) - {module}


def arrows() -> list[tuple[str, str]]:
    """Who imports whom."""
    return [
        (module, target)
        for module in MODULES
        for target in imported(module)
        if (module, target) not in TYPES_ALONE
    ]


def test_every_module_has_a_room() -> None:
    assert {module for module in MODULES if room_of(module) not in FLOOR} == set()
    assert {room_of(module) for module in MODULES} == FLOOR.keys() - set(EXTENSIONS)


def test_every_room_has_its_tests() -> None:
    """tests/python/ has the rooms of python/flashlm, and others for what belongs to none."""
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    here = Path(__file__).parent
    assert {room for room in rooms if not [*(here / room).rglob("*_test.py")]} == set()


def test_imports_never_go_up() -> None:
    """A module imports its own room or a room on a lower floor."""
    wrong = [
        f"{module} imports {target}"
        for module, target in arrows()
        if room_of(target) != room_of(module) and FLOOR[room_of(target)] >= FLOOR[room_of(module)]
    ]
    assert not wrong


def test_imports_never_go_in_a_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for module, target in arrows():
        graph[module].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_types_alone_are_what_they_say() -> None:
    """An exception that nothing needs any more goes."""
    for module, target in TYPES_ALONE:
        assert target in imported(module)
        top = ast.parse(MODULES[module].read_text())
        at_run_time = [
            node
            for node in ast.walk(ast.Module([x for x in top.body if not isinstance(x, ast.If)], []))
            if isinstance(node, ast.ImportFrom) and node.module == f"flashlm.{target}"
        ]
        assert not at_run_time


def test_a_folder_is_read_at_a_glance() -> None:
    """Few files in a folder, on few floors.

    A module is one above the highest that it imports there.
    """
    folders = defaultdict(list)
    for module, path in MODULES.items():
        folders[path.parent.relative_to(PACKAGE).as_posix()].append(module)
    for folder, modules in folders.items():
        assert folder in MANY or len(modules) <= MOST_FILES, folder

        def floor(module: str, modules: tuple[str, ...] = tuple(modules)) -> int:
            below = [
                floor(each)
                for each in imported(module)
                if each in modules and (module, each) not in TYPES_ALONE
            ]
            return 1 + max(below, default=0)

        assert max(map(floor, modules)) <= MOST_FLOORS, folder


@pytest.mark.parametrize("module", [module for module in MODULES if module])
def test_a_module_says_what_it_is(module: str) -> None:
    """A module begins with its own name, a package with what it is for."""
    path = MODULES[module]
    said = ast.get_docstring(ast.parse(path.read_text()))
    assert said
    if path.name not in ("__init__.py", "__main__.py"):
        assert path.parent.name == "families" or said.startswith(f"{path.name}: ")

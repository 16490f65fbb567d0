# SPDX-License-Identifier: Apache-2.0
"""Names that pages use exist: paths of the repository, names of the package, names of C++."""

from __future__ import annotations

import fnmatch
import importlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
# Where a page's paths begin: at the root, or in the folder that it speaks of.
BEGINNINGS = [
    *("", "docs/", "tests/", "tests/python/", "benchmarks/", "python/", "python/src/"),
    *("python/flashlm/", "include/", "include/flashlm/", "include/flashlm/compute/cpu/"),
]
# Examples of names, and folders that a command writes.
EXAMPLES = {"NAME.flash", "assets/flashlm/papers", "compute/cpu/kernels/x.hpp"}


def in_code(pattern: str, page: Path) -> set[str]:
    """What matches whole spans of code in a page, without arguments in brackets."""
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page.read_text())
    return {span for span in spans if re.fullmatch(pattern, span)}


@pytest.fixture(scope="module")
def paths() -> set[str]:
    """All files and folders of the repository."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    files = [Path(line) for line in listed.stdout.splitlines()]
    return {each.as_posix() for file in files for each in (file, *file.parents) if each != Path()}


@pytest.fixture(scope="module")
def words() -> set[str]:
    """All words of the headers."""
    headers = (ROOT / "include").rglob("*.*pp")
    return {word for each in headers for word in re.findall(r"\w+", each.read_text())}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_exist(page: Path, paths: set[str]) -> None:
    wrong = []
    for span in in_code(r"[\w.*-]+(?:/[\w.*-]+)+/?|[\w-]+/", page):
        name = span.rstrip("/")
        wanted = [beginning + name for beginning in BEGINNINGS]
        found = any(fnmatch.filter(paths, each) for each in wanted)
        if not found and name not in EXAMPLES:
            wrong.append(span)
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_of_the_package_exist(page: Path) -> None:
    wrong = []
    for span in in_code(r"flashlm(?:\.\w+)+(?:\([^)]*\))?", page):
        parts = span.partition("(")[0].split(".")
        if parts[-1] in {"json", "hpp", "h"}:
            continue  # a file
        thing = importlib.import_module("flashlm")
        for at, part in enumerate(parts[1:], 2):
            if not hasattr(thing, part):
                try:
                    importlib.import_module(".".join(parts[:at]))
                except ModuleNotFoundError:
                    wrong.append(span)
                    break
            thing = getattr(thing, part)
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_of_cpp_exist(page: Path, words: set[str]) -> None:
    targets = set(re.findall(r"flashlm::(\w+)", (ROOT / "cmake" / "install.cmake").read_text()))
    targets |= set(re.findall(r"flashlm::(\w+)", (ROOT / "CMakeLists.txt").read_text()))
    wrong = []
    for span in in_code(r"\w+(?:::\w+)+(?:\([^)]*\))?", page):
        names = span.partition("(")[0].split("::")
        if names[0] != "std" and not all(name in words | targets for name in names):
            wrong.append(span)
    assert not wrong

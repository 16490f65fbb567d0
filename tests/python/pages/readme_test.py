# SPDX-License-Identifier: Apache-2.0
"""The README's programs run as they stand, its numbers have result files, and the links of all pages lead somewhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def with_model(program: str, folder: Path, model: Path) -> str:
    """The program, opening `model`: packed folders are linked under their names, hub ids replaced by a link."""
    (folder / "real.flash").symlink_to(model)
    for name in set(re.findall(r'"([\w.-]+\.flash)"', program)) - {"real.flash"}:
        (folder / name).symlink_to(model)
    return re.sub(r'(from_pretrained\(|open\()"[\w.-]+/[\w.-]+"', r'\1"real.flash"', program)


def run(command: list[str], folder: Path) -> str:
    """What a program prints; it must succeed."""
    environment = {**os.environ, "FLASHLM_HOME": str(folder / "home")}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.real
def test_the_python_of_the_readme_runs(real: Path, tmp_path: Path) -> None:
    """All blocks, one after another, as a reader would type them."""
    program = with_model("\n".join(blocks("python")), tmp_path, real)
    assert program.strip()
    assert run([sys.executable, "-c", program], tmp_path).strip()


@pytest.mark.real
def test_the_cpp_of_the_readme_compiles_and_runs(real: Path, tmp_path: Path) -> None:
    """Each block is a program, or the body of a main function after its includes."""
    includes = shlex.split(run([sys.executable, "-m", "flashlm", "--includes"], tmp_path))
    programs = blocks("cpp")
    assert programs
    for index, block in enumerate(programs):
        folder = tmp_path / str(index)
        folder.mkdir()
        program = with_model(block, folder, real)
        if "int main" not in program:
            head = "\n".join(line for line in program.splitlines() if line.startswith("#"))
            body = "\n".join(line for line in program.splitlines() if not line.startswith("#"))
            program = f"{head}\n#include <iostream>\nint main() {{\n{body}\n}}\n"
        (folder / "program.cpp").write_text(program)
        compiler = os.environ.get("CXX", "c++")
        run(
            [compiler, "-std=c++20", "-O2", *includes, "program.cpp", "-o", "program", "-pthread"],
            folder,
        )
        assert run(["./program"], folder).strip()


def test_every_table_of_numbers_names_its_result_file() -> None:
    """A table with a figure that was measured links to benchmarks/results/*.json, in itself or in the line after it."""
    measured = re.compile(r"\d\s*(?:tok/s|ms|s|[KMGT]i?B(?:/s)?|%|x)\b")
    for table in re.findall(r"(?:^\|.*\n)+(?:\n.*\n)?", README.read_text(), re.MULTILINE):
        if measured.search(table):
            assert re.search(r"\(benchmarks/results/[\w.-]+\.json\)", table), (
                f"no result file:\n{table}"
            )


def test_the_table_of_the_readme_is_what_its_result_file_says() -> None:
    """Nobody types figures: the script that copies them finds nothing to change."""
    script = ROOT / "benchmarks" / "readme_table.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_result_file_says_where_it_comes_from() -> None:
    """A number is worth nothing without its command, commit, date and machine."""
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        result = json.loads(path.read_text())
        assert {"command", "commit", "date", "machine", "rows"} <= set(result), path.name
        assert not [word for word in result["command"].split() if Path(word).is_absolute()], (
            path.name
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the project."""
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []

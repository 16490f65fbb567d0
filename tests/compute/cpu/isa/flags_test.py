# SPDX-License-Identifier: Apache-2.0
"""The compiler's flags change no bit of a kernel's result, and fast-math is refused.

One small program is built with several flags and run on every instruction set; it prints a hash of
all results.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = ROOT / "tests" / "compute" / "cpu" / "isa" / "flags_program.cpp"
COMPILERS = ["g++", "clang++"]
FLAGS = ["-O0", "-O2", "-O3 -march=native"]
NO_SUCH_ISA = 3  # the program's exit code


def compile_program(compiler: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Runs the compiler on the program."""
    command = [compiler, "-std=c++20", f"-I{ROOT / 'include'}", *flags, str(PROGRAM)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def require(compiler: str) -> None:
    """Skips the test where a compiler is not installed."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where the programs are built; each only once."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@functools.cache
def build(folder: Path, compiler: str, flags: str) -> Path:
    """The program, built with `flags`."""
    program = folder / re.sub(r"\W", "_", compiler + flags)
    result = compile_program(compiler, *flags.split(), "-o", str(program))
    assert result.returncode == 0, result.stderr
    return program


def output(program: Path, isa: str) -> str:
    """What the program prints with the instruction set forced.

    Skips the test where the processor has it not.
    """
    environment = {**os.environ, "FLASHLM_ISA": isa}
    result = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    if result.returncode == NO_SUCH_ISA:
        pytest.skip(f"this processor has no {isa}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"isa {isa}\n")
    return result.stdout


@pytest.mark.parametrize("isa", ["scalar", "neon", "avx2", "avx512"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_flag_gives_the_same_bits(folder: Path, compiler: str, isa: str) -> None:
    """-O0, -O2 and -O3 -march=native, with the instruction set forced."""
    require(compiler)
    seen = {flags: output(build(folder, compiler, flags), isa) for flags in FLAGS}
    assert len(set(seen.values())) == 1, seen


@pytest.mark.parametrize("isa", ["scalar", "neon", "avx2", "avx512"])
def test_both_compilers_give_the_same_bits(folder: Path, isa: str) -> None:
    """A program of g++ and one of clang++ agree."""
    for compiler in COMPILERS:
        require(compiler)
    seen = {compiler: output(build(folder, compiler, "-O2"), isa) for compiler in COMPILERS}
    assert len(set(seen.values())) == 1, seen


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_portable_kernels_are_not_contracted(folder: Path, compiler: str) -> None:
    """Even where the user allows fused instructions everywhere, the portable region has none."""
    require(compiler)
    if platform.machine() != "x86_64":
        pytest.skip("reads x86-64 assembly")
    assembly = folder / "program.s"
    result = compile_program(
        compiler, "-O3", "-march=native", "-mavx2", "-mfma", "-S", "-o", str(assembly)
    )
    assert result.returncode == 0, result.stderr
    fused: dict[str, int] = {}
    function = ""
    for line in assembly.read_text().splitlines():
        if label := re.match(r"([A-Za-z_]\w*)(?:\.\w+)*:", line):
            function = label.group(1)
            fused.setdefault(function, 0)
        elif re.match(r"\s+vfn?m(?:add|sub)", line):
            fused[function] += 1
    portable = {name: count for name, count in fused.items() if "7kernels6scalar" in name}
    assert portable, "no function of the portable region was found"
    assert not any(portable.values()), portable
    assert any(count for name, count in fused.items() if "7kernels4avx2" in name)


@pytest.mark.parametrize(
    ("compiler", "flags"),
    [
        ("g++", "-ffast-math"),
        ("g++", "-Ofast"),
        ("g++", "-funsafe-math-optimizations"),
        ("g++", "-fassociative-math -fno-signed-zeros -fno-trapping-math"),
        ("g++", "-freciprocal-math"),
        ("g++", "-ffinite-math-only"),
        ("clang++", "-ffast-math"),
        ("clang++", "-ffinite-math-only"),
    ],
)
def test_fast_math_is_refused(compiler: str, flags: str) -> None:
    """A build that may change sums stops with a sentence."""
    require(compiler)
    result = compile_program(compiler, "-fsyntax-only", *flags.split())
    assert result.returncode != 0
    assert "flashlm promises the same bits everywhere" in result.stderr

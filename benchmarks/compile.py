# SPDX-License-Identifier: Apache-2.0
"""compile.py: what flashlm costs the compiler, beside a program that parses and prints JSON with nlohmann_json.

    python benchmarks/compile.py

Every figure is user seconds of one compiler process, and its peak memory; each case is compiled
once a round, in turns, and a row "over the JSON program" is over that program of the same round. A
number format costs what kernels take less without it, in a copy. With `--build`, a folder of the
preset dev, rows of edits follow: seconds on the clock from a change to the result of its test,
where everything is up to date before.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from machine import spread, write_result

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "compile.json"
SOURCES = ROOT / "include" / "flashlm"
KERNELS = "kernels alone"
WITHOUT = "kernels without q4_k"

JSON_PROGRAM = """#include <iostream>

#include <nlohmann/json.hpp>

int main() {
  const auto value = nlohmann::json::parse(R"({"moon": [1, 2.5, "three"]})");
  std::cout << value.dump(2) << '\\n';
}
"""


def readme_program() -> str:
    """The first C++ program of the README."""
    found = re.search(r"```cpp\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    if found is None:
        sys.exit("README.md has no C++ program.")
    return found.group(1)


def third_party() -> list[str]:
    """Where Eigen and nlohmann_json are, if not where the compiler looks: in wheels of this Python."""
    folders = [Path(folder) for folder in sys.path if folder]
    places = ["cmeel.prefix/include/eigen3", "nlohmann_json/include"]
    return [
        f"-isystem{folder / place}"
        for place in places
        for folder in folders
        if (folder / place).is_dir()
    ]


def compile_once(compiler: str, source: Path, *options: str) -> tuple[float, float]:
    """User seconds and peak bytes of compiling one file; nothing is kept."""
    before = time.time()
    command = [compiler, "-std=c++20", "-O2", *options, f"-I{ROOT / 'include'}", *third_party()]
    process = subprocess.Popen([*command, "-c", str(source), "-o", os.devnull])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(
            f"{source.name} {' '.join(options)} does not compile (after {time.time() - before:.0f} "
            f"s)."
        )
    return usage.ru_utime, usage.ru_maxrss * 1024


def without_a_format(folder: Path) -> Path:
    """The kernels in a copy of the headers, whose table has no q4_k (docs/number_formats.md)."""
    shutil.copytree(SOURCES, folder / "flashlm")
    table = folder / "flashlm" / "base" / "dtype.hpp"
    text, found = re.subn(r"\n  ROW\(q4_k,.*", "", table.read_text())
    if found != 1:
        sys.exit("base/dtype.hpp has no row of q4_k.")
    table.write_text(text)
    return folder / "flashlm" / "compute" / "compiled.cpp"


def cases(folder: Path) -> dict[str, tuple[Path, list[str]]]:
    """What is compiled: a file and its options. The first is what all are compared with."""
    readme = readme_program()
    umbrella = readme.replace("flashlm/language_model.hpp", "flashlm/flashlm.hpp")
    for name, text in {"json": JSON_PROGRAM, "readme": readme, "umbrella": umbrella}.items():
        (folder / f"{name}.cpp").write_text(text)
    compiled = ["-DFLASHLM_COMPILED"]
    result = {
        "JSON program": (folder / "json.cpp", []),
        "README program, flashlm::flashlm": (folder / "readme.cpp", compiled),
        "README program, headers alone": (folder / "readme.cpp", []),
        "README program with flashlm.hpp, headers alone": (folder / "umbrella.cpp", []),
    }
    for source in sorted(SOURCES.rglob("*.cpp")):
        library = source.parent.name == "tools" and source.stem != "compiled"
        if not library:
            name = source.relative_to(SOURCES).as_posix()
            result[KERNELS if name == "compute/compiled.cpp" else f"library: {name}"] = (
                source,
                compiled,
            )
    result[WITHOUT] = (without_a_format(folder), [*compiled, f"-I{folder}"])
    return result


@contextmanager
def changed(path: Path, addition: str) -> Iterator[None]:
    """The file with a line more, and as it was."""
    text = path.read_text()
    path.write_text(text + addition)
    try:
        yield
    finally:
        path.write_text(text)


def edits(build: Path, rounds: int) -> list[dict[str, Any]]:
    """Seconds from a change to the result of its test: a header's bodies, a header, a Python file."""

    def run(*command: str) -> None:
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    def cpp() -> None:
        run("cmake", "--build", str(build), "--target", "storage_test")
        run(str(build / "tests" / "storage_test"), "*manifest*")

    def python() -> None:
        run(sys.executable, "-m", "pytest", "-q", "tests/python/packing/chat_format_test.py")

    cpp()
    python()
    result = []
    for case, path, test in [
        ("edit of a header's bodies", SOURCES / "storage" / "manifest.ipp", cpp),
        ("edit of a header", SOURCES / "storage" / "manifest.hpp", cpp),
        (
            "edit of a Python file",
            ROOT / "python" / "flashlm" / "packing" / "chat_format.py",
            python,
        ),
    ]:
        comment = "#" if path.suffix == ".py" else "//"
        seconds = []
        for number in range(rounds):
            with changed(path, f"{comment} round {number}\n"):
                start = time.monotonic()
                test()
                seconds.append(time.monotonic() - start)
        result.append({"case": case, "metric": "edit to result", "unit": "s", **spread(seconds)})
    return result


def main() -> None:
    """Compile everything in turns and write the result file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--compiler", default=shutil.which("g++") or "c++")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--build", type=Path, help="a build folder of the preset dev, for the edits"
    )
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    memory: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        compiled = cases(Path(name))
        for _ in range(arguments.rounds):
            floor = 0.0
            for case, (source, options) in compiled.items():
                user, peak = compile_once(arguments.compiler, source, *options)
                floor = floor or user
                seconds.setdefault(case, []).append(user)
                ratios.setdefault(case, []).append(user / floor)
                memory.setdefault(case, []).append(peak / 2**30)
                print(
                    f"{case}: {user:.2f} s, {user / floor:.2f} of the JSON program, "
                    f"{peak / 2**30:.2f} GiB",
                    flush=True,
                )
    costs = [
        kernels - without for kernels, without in zip(ratios[KERNELS], ratios[WITHOUT], strict=True)
    ]
    rows: list[dict[str, Any]] = [
        {
            "case": "a number format (q4_k)",
            "metric": "over the JSON program",
            "unit": "",
            **spread(costs),
        }
    ]
    for case, values in seconds.items():
        rows.append({"case": case, "metric": "user time", "unit": "s", **spread(values)})
        rows.append(
            {"case": case, "metric": "over the JSON program", "unit": "", **spread(ratios[case])}
        )
        rows.append({"case": case, "metric": "peak memory", "unit": "GiB", **spread(memory[case])})
    if arguments.build:
        rows += edits(arguments.build.resolve(), arguments.rounds)
    version = subprocess.check_output([arguments.compiler, "--version"], text=True).splitlines()[0]
    write_result(arguments.output, ROOT, rows, compiler=version, options="-std=c++20 -O2")


if __name__ == "__main__":
    main()

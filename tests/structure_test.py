# SPDX-License-Identifier: Apache-2.0
"""The rules of docs/architecture.md that a compiler does not check.

They are about layers, homes, tests, length and words.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
HEADERS = sorted(INCLUDE.rglob("*.hpp"))
BODIES = sorted([*INCLUDE.rglob("*.ipp"), *INCLUDE.rglob("*.inc")])
COMPILED = sorted(INCLUDE.rglob("*.cpp"))
# The folders of include/flashlm, lowest first: a file includes its own folder or one before it.
LAYERS = [
    *("base", "base/memory"),
    *("compute/cpu/formats/shared", "compute/cpu/formats"),
    *("compute/cpu/bodies", "compute/cpu/isa"),
    *("compute/cpu/quantise", "compute/cpu/kernels", "compute/cpu"),
    *("compute/reference", "compute"),
    *("storage/io", "storage/readers", "storage/format"),
    "stream",
    *("units", "units/select", "units/ffn"),
    "training",
    *("model/graph", "model/kv", "model/parts", "model/plan", "model"),
    *("text/unicode", "text/tokenizer", "text/generation"),
    *("text/grammar/automaton", "text/grammar/json", "text/grammar/schema", "text/grammar"),
    *("text", "text/chat"),
    "agent",
    *("tools/http", "tools/papers", "tools/pdf"),
]

# A file each for what may be many: no bound holds there.
MANY = {"compute/cpu/formats"}
MOST_FILES = 12  # of a folder, x.hpp and x.ipp together being one

# The folders (or files) of include/flashlm that may include a header that matches.
HOMES = {
    r"nlohmann/": {"storage/format/json.ipp", "text", "agent", "tools/papers/paper.hpp"},
    r"\w*intrin\.h|arm_neon\.h": {"compute"},
    r"Eigen/": {"training/eigen.inc"},
    r"omp\.h": {"compute/cpu/parallel.ipp"},
    r"curl/": {"tools/http/http_transfer.hpp", "tools/http/url.hpp"},
    r"poppler-": {"tools/pdf/poppler_reader.hpp"},
}


# What flashlm/language_model.hpp brings where the bodies are compiled once: the standard library,
# and headers that include nothing but it and each other.
THIN = {
    *(
        "base/error.hpp",
        "base/memory/memory_sensor.hpp",
        "base/process.hpp",
        "base/random.hpp",
        "base/stats.hpp",
    ),
    *(
        "base/token.hpp",
        "base/turns.hpp",
        "base/units.hpp",
        "language_model.hpp",
        "model/plan/memory_plan.hpp",
    ),
    *(
        "model/session.hpp",
        "units/neuron_read_options.hpp",
        "stream/segment.hpp",
        "storage/format/json.hpp",
    ),
    *(
        "storage/format/json_value.hpp",
        "storage/format/sha256.hpp",
        "text/tokenizer/added_tokens.hpp",
        "text/tokenizer/bpe.hpp",
    ),
    *("text/tokenizer/byte_trie.hpp", "text/generation/generation.hpp"),
    *(
        "text/generation/guide.hpp",
        "model/kv_store.hpp",
        "text/language_model.hpp",
        "text/tokenizer/pre_tokenizer.hpp",
        "text/generation/sampler.hpp",
    ),
    *(
        "text/generation/stop_matcher.hpp",
        "text/tokenizer/byte_alphabet.hpp",
        "text/tokenizer/decoder.hpp",
        "text/tokenizer/normalizer.hpp",
        "text/tokenizer/regex.hpp",
        "text/tokenizer/unigram.hpp",
        "text/tokenizer/vocabulary.hpp",
        "text/tokenizer/tokenizer.hpp",
        "text/unicode/unicode.hpp",
        "text/unicode/unicode_tables.inc",
        "text/unicode/utf8.hpp",
    ),
    "version.hpp",
}


def includes(path: Path) -> list[str]:
    """What a file includes, without brackets."""
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(), re.MULTILINE)


def name(path: Path) -> str:
    """A header as it is included, without the leading flashlm/."""
    return path.relative_to(INCLUDE / "flashlm").as_posix()


def tracked_files() -> Iterator[Path]:
    """Text files that belong to the project."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for line in listed.stdout.splitlines():
        path = ROOT / line
        if path.is_file() and b"\0" not in path.read_bytes()[:4096]:
            yield path


def folder_of(target: str) -> str:
    """The folder of a header as it is included, without the leading flashlm/."""
    return target.rpartition("/")[0]


def test_includes_never_go_up() -> None:
    """A header includes its own folder or a folder of a lower layer."""
    wrong = []
    for path in HEADERS + BODIES:
        layer = folder_of(name(path))
        for target in includes(path):
            other = folder_of(target.removeprefix("flashlm/"))
            known = target.startswith("flashlm/") and layer in LAYERS and other in LAYERS
            if known and LAYERS.index(other) > LAYERS.index(layer):
                wrong.append(f"{name(path)} includes {target}")
    assert not wrong


def test_every_folder_is_a_layer() -> None:
    """A new folder needs a place in the order."""
    folders = {folder_of(name(path)) for path in HEADERS + BODIES if "/" in name(path)}
    assert folders == set(LAYERS)


@pytest.mark.parametrize("layer", [each for each in LAYERS if each not in MANY])
def test_a_folder_is_read_at_a_glance(layer: str) -> None:
    """Few files in a folder, x.hpp and x.ipp together being one."""
    files = {path.stem for path in HEADERS + BODIES if folder_of(name(path)) == layer}
    assert len(files) <= MOST_FILES


def test_includes_never_go_in_a_circle() -> None:
    """The headers have an order in which each, with its bodies, comes after what it includes."""
    graph: dict[str, set[str]] = {}
    for path in HEADERS + [path for path in BODIES if path.suffix == ".ipp"]:
        header = f"flashlm/{name(path.with_suffix('.hpp'))}"
        targets = {
            target.removesuffix(".ipp") + ".hpp" if target.endswith(".ipp") else target
            for target in includes(path)
        }
        graph.setdefault(header, set()).update(targets - {header})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_each_third_party_header_has_one_home() -> None:
    """Who replaces a library must know where to look."""
    wrong = []
    for path in HEADERS + BODIES:
        for target in includes(path):
            for pattern, homes in HOMES.items():
                if re.match(pattern, target) and not {name(path), name(path).split("/")[0]} & homes:
                    wrong.append(f"{name(path)} includes {target}")
    assert not wrong


def test_kernels_are_called_by_the_backend_alone() -> None:
    """A step computes with the verbs of compute/backend.hpp, so that another backend can run it."""
    behind = {
        (name(path), target.removeprefix("flashlm/compute/cpu/"))
        for path in HEADERS + BODIES
        if not name(path).startswith(("compute/", "training/", "flashlm.hpp"))
        for target in includes(path)
        if re.match(r"flashlm/compute/cpu/(?:bodies|formats|isa|kernels|quantise)/", target)
    }
    words = {"isa/activation_kind.hpp"}  # the names of functions, which computes nothing
    assert {(path, target) for path, target in behind if target not in words} == {
        ("storage/format/bundle_writer.ipp", "quantise/tiling.hpp"),  # packs
        ("storage/format/checksum.ipp", "isa/cpu.hpp"),
        ("units/select/gate_writer.ipp", "quantise/convert.hpp"),  # packs
    }


def test_presets_name_programs_that_there_are() -> None:
    """A preset is not asked for its names until it is used, which is late in a check."""
    presets = json.loads((ROOT / "CMakePresets.json").read_text())
    programs = {
        target.removesuffix("_test")
        for preset in presets["buildPresets"]
        for target in preset.get("targets", [])
    }
    filters = [preset.get("filter", {}) for preset in presets["testPresets"]]
    names = [each.get("include", {}).get("name", "") for each in filters]
    tests = {word for name in names for word in re.findall(r"[a-z]+", name)} - {"slow"}
    assert programs == tests
    assert all(list((ROOT / "tests" / program).rglob("*_test.cpp")) for program in programs)


def test_only_parallel_knows_openmp() -> None:
    """An exception must not leave a parallel region, so there is one place for them."""
    assert [name(path) for path in HEADERS + BODIES if "#pragma omp" in path.read_text()] == [
        "compute/cpu/parallel.ipp"
    ]


@pytest.mark.parametrize(
    "path", [path for path in HEADERS if path.parent.name != "flashlm"], ids=name
)
def test_a_header_has_its_test(path: Path) -> None:
    """tests/ mirrors include/flashlm/."""
    assert (ROOT / "tests" / name(path)).with_name(f"{path.stem}_test.cpp").is_file()


@pytest.mark.parametrize(
    "path", HEADERS + [path for path in BODIES if path.suffix == ".ipp"], ids=name
)
def test_a_header_is_short_and_says_what_it_is(path: Path) -> None:
    """One idea a file, its purpose in the second line."""
    lines = path.read_text().splitlines()
    assert len(lines) <= 400
    assert lines[1].startswith(f"/// {path.name}: ")
    assert "#pragma once" in lines


@pytest.mark.parametrize("path", [path for path in BODIES if path.suffix == ".ipp"], ids=name)
def test_bodies_belong_to_their_header(path: Path) -> None:
    """x.ipp includes x.hpp first; x.hpp includes x.ipp last, unless bodies are compiled once."""
    header = path.with_suffix(".hpp")
    assert includes(path)[0] == f"flashlm/{name(header)}"
    end = f'#if !defined(FLASHLM_COMPILED)\n#include "flashlm/{name(path)}"\n#endif\n'
    assert header.read_text().endswith(end)
    assert header.read_text().count("FLASHLM_COMPILED") == 1


@pytest.mark.parametrize("path", [path for path in BODIES if path.suffix == ".ipp"], ids=name)
def test_a_virtual_function_is_inline_where_it_is_declared(path: Path) -> None:
    """Else it is the key function of its class.

    Every header-only program then compiles the class, used or not.
    """
    header = path.with_suffix(".hpp").read_text()
    declared = re.findall(
        r"^ *(virtual [^;{=]*|[^;{]* override);", re.sub(r"//.*", "", header), re.MULTILINE
    )
    assert not [text for text in declared if not text.lstrip().startswith("FLASHLM_INLINE ")]


def test_all_bodies_are_compiled_once() -> None:
    """Each x.ipp is in one compiled file of its folder, and CMake knows that file."""
    compiled = [target for path in COMPILED for target in includes(path)]
    assert sorted(compiled) == [f"flashlm/{name(path)}" for path in BODIES if path.suffix == ".ipp"]
    assert all(
        target.split("/")[1] == path.parent.name for path in COMPILED for target in includes(path)
    )
    listed = re.findall(r"[\w/]+\.cpp", (ROOT / "cmake" / "compiled.cmake").read_text())
    assert sorted(listed) == [name(path) for path in COMPILED]


def reached_from(header: str, bodies: bool) -> set[str]:
    """A header and what it includes, as headers alone or with the bodies compiled once.

    `name` says which.
    """
    reached: set[str] = set()
    waiting = [header]
    while waiting:
        current = waiting.pop()
        if current not in reached:
            reached.add(current)
            targets = [
                x
                for x in includes(INCLUDE / "flashlm" / current)
                if bodies or not x.endswith(".ipp")
            ]
            waiting += [
                target.removeprefix("flashlm/")
                for target in targets
                if target.startswith("flashlm/")
            ]
    return reached


def test_a_program_that_writes_text_includes_thin_headers_alone() -> None:
    """Whoever opens a model and writes text compiles neither the engine nor another library."""
    assert reached_from("language_model.hpp", bodies=False) <= THIN
    foreign = {
        target
        for header in THIN
        for target in includes(INCLUDE / "flashlm" / header)
        if "/" in target
    }
    assert not {target for target in foreign if not target.startswith("flashlm/")}


def test_the_umbrella_reaches_every_header_but_tools_and_training() -> None:
    """A program that includes flashlm/flashlm.hpp has all that has no dependency of its own."""
    missing = {name(path) for path in HEADERS} - reached_from("flashlm.hpp", bodies=True)
    assert not {header for header in missing if not header.startswith(("tools/", "training/"))}


def test_every_source_file_names_its_licence() -> None:
    """The first lines hold the SPDX line."""
    sources = {".hpp", ".ipp", ".cpp", ".inc", ".py", ".pyi", ".cmake", ".toml", ".sh"}
    named = {"CMakeLists.txt", "Makefile", "run"}
    wrong = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if (path.suffix in sources or path.name in named)
        and "SPDX-License-Identifier: Apache-2.0"
        not in "".join(path.read_text(errors="replace").splitlines()[:3])
    ]
    assert not wrong


def test_nothing_is_left_undone_and_no_machine_is_named() -> None:
    """No notes to oneself, no paths of the machine that a file was written on."""
    pattern = re.compile(r"\b(?:TODO|FIXME|XXX)\b|/(?:tmp|root|home|work)/\w")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked_files()
        if path != Path(__file__).resolve() and path.suffix not in {".txt", ".json", ".inc"}
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not wrong

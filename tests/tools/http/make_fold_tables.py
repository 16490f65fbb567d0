# SPDX-License-Identifier: Apache-2.0
"""Writes tools/http/fold_tables.inc: letters that are the same, by unicodedata.

`--check` compares instead of writing and exits with 1 on a difference.

    python tests/tools/http/make_fold_tables.py [--check]
"""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
TABLES = ROOT / "include" / "flashlm" / "tools" / "http" / "fold_tables.inc"
IDEOGRAPHS = (
    range(0xF900, 0xFB00),
    range(0x2F800, 0x2FA20),
)  # second copies of Chinese characters: as they are


def code_points() -> Iterator[int]:
    """All that UTF-8 can carry but the second copies."""
    for code in (*range(0xD800), *range(0xE000, 0x110000)):
        if not any(code in copies for copies in IDEOGRAPHS):
            yield code


def decompositions() -> list[tuple[int, int, int]]:
    """Canonical ones, one step: a code point, and the one or two (else 0) that it is made of."""
    found = []
    for code in code_points():
        parts = unicodedata.decomposition(chr(code)).split()
        if parts and not parts[0].startswith("<"):
            first, second = (*(int(part, 16) for part in parts), 0)[:2]
            found.append((code, first, second))
    return found


def classes() -> list[tuple[int, int, int]]:
    """Closed ranges of marks with their canonical combining class, where that is not 0."""
    ranges: list[tuple[int, int, int]] = []
    for code in code_points():
        value = unicodedata.combining(chr(code))
        if value and ranges and ranges[-1][1] == code - 1 and ranges[-1][2] == value:
            ranges[-1] = (ranges[-1][0], code, value)
        elif value:
            ranges.append((code, code, value))
    return ranges


def folds() -> list[tuple[int, int, int, int]]:
    """Closed ranges, stride and distance of what folds to one code point."""
    ranges: list[tuple[int, int, int, int]] = []
    for code in code_points():
        folded = chr(code).casefold()
        if len(folded) != 1 or ord(folded) == code:
            continue
        step = ord(folded) - code
        if ranges and ranges[-1][3] == step:
            first, last, stride, _ = ranges[-1]
            if code - last in ((1, 2) if first == last else (stride,)):
                ranges[-1] = (first, code, code - last, step)
                continue
        ranges.append((code, code, 1, step))
    return ranges


def long_folds() -> list[tuple[int, int, int, int]]:
    """What folds to two code points or three (else 0)."""
    found = []
    for code in code_points():
        folded = [ord(letter) for letter in chr(code).casefold()]
        if len(folded) > 1:
            first, second, third = (*folded, 0)[:3]
            found.append((code, first, second, third))
    return found


def folded(text: str) -> str:
    """Canonical caseless matching, Unicode 3.13, D145."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def checksum() -> str:
    """FNV-1a over the folded form of every code point, each followed by a line feed."""
    value = 0xCBF29CE484222325
    for code in code_points():
        for byte in (folded(chr(code)) + "\n").encode():
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"0x{value:016x}"


def render() -> str:
    """The text of the .inc file."""
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "// fold_tables.inc: letters that are the same. Generated, not edited:",
        (
            "// tests/tools/http/make_fold_tables.py asked Python's unicodedata "
            f"(Unicode {unicodedata.unidata_version})"
        ),
        "// about every code point.",
    ]
    tables: list[tuple[str, str, str, Sequence[tuple[int, ...]]]] = [
        ("Decomposition", "kDecompositions", "code point, what it is made of", decompositions()),
        ("MarkClass", "kMarkClasses", "first, last, canonical combining class", classes()),
        ("FoldRange", "kFolds", "first, last, stride, distance", folds()),
        ("LongFold", "kLongFolds", "code point, what it folds to", long_folds()),
    ]
    for kind, name, meaning, rows in tables:
        lines += ["", f"// {meaning}", f"inline constexpr {kind} {name}[] = {{"]
        line = "   "
        for row in rows:
            cell = "{" + ", ".join(hex(value) if value > 9 else str(value) for value in row) + "},"
            if len(line) + 1 + len(cell) > 100:
                lines.append(line)
                line = "   "
            line += " " + cell
        lines += [line, "};"]
    lines += [
        "",
        "// FNV-1a of all code points, folded",
        f"inline constexpr std::uint64_t kFoldSum = {checksum()};",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="compare with the file instead of writing it"
    )
    arguments = parser.parse_args()
    text = render()
    if not arguments.check:
        TABLES.write_text(text)
        return 0
    return int(text.split("\n\n", 1)[1] != TABLES.read_text().split("\n\n", 1)[1])


if __name__ == "__main__":
    sys.exit(main())

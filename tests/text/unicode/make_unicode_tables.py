# SPDX-License-Identifier: Apache-2.0
"""Writes unicode_tables.inc and normalization_tables.inc: what `tokenizers` knows of characters.

Every code point is asked, so the tables hold the Unicode versions of that library's regex engine,
of its normalizers and of its standard library, which are not the same. `--check` compares instead
of writing and exits with 1 on a difference.

    python tests/text/unicode/make_unicode_tables.py [--check]
"""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

ROOT = Path(__file__).parents[3]
TEXT = ROOT / "include" / "flashlm" / "text"
TABLES = TEXT / "unicode" / "unicode_tables.inc"
NORMALIZATION = TEXT / "tokenizer" / "normalization_tables.inc"
Ranges = list[tuple[int, int]]
WIDTH = 100

# In the order of `detail::Category` (unicode.hpp).
CATEGORIES = tuple(
    "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()  # noqa: SIM905
)


def code_points() -> Iterator[int]:
    """All that UTF-8 can carry."""
    yield from range(0xD800)
    yield from range(0xE000, 0x110000)


def ranges_of(belongs: Callable[[str], bool]) -> Ranges:
    """The code points for which `belongs` holds, as closed ranges."""
    ranges: Ranges = []
    for code in code_points():
        if belongs(chr(code)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1] = (ranges[-1][0], code)
            else:
                ranges.append((code, code))
    return ranges


def members(pattern: str) -> list[int]:
    """The code points of a class of the regex engine behind `Split` and `ByteLevel`."""
    whole = "".join(map(chr, code_points()))
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    others = "".join(piece for piece, _ in split.pre_tokenize_str(whole))
    return [ord(character) for character in set(whole) - set(others)]


def categories() -> list[int]:
    """Where a run of characters of one category begins: its code point * 32 + its category."""
    of_code = dict.fromkeys(code_points(), CATEGORIES.index("Cn"))
    for index, name in enumerate(CATEGORIES[:-1]):
        for code in members(rf"\p{{{name}}}"):
            of_code[code] = index
    runs: list[int] = []
    for code, category in of_code.items():
        if not runs or runs[-1] % 32 != category:
            runs.append(code * 32 + category)
    return runs


def numeric_class() -> Ranges:
    """What `Digits` cuts off."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    return ranges_of(lambda character: len(digits.pre_tokenize_str(character + "x")) == 2)


def punctuation_class() -> Ranges:
    """What `Punctuation` isolates."""
    punctuation = pre_tokenizers.Punctuation()
    return ranges_of(lambda character: len(punctuation.pre_tokenize_str(character + "x")) == 2)


def word_class() -> Ranges:
    """What counts as part of a word beside a `single_word` added token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.add_tokens([AddedToken("<w>", single_word=True, normalized=False)])
    return ranges_of(lambda character: not tokenizer.encode("<w>" + character).ids)


def strip_class() -> Ranges:
    """What an `rstrip` added token swallows."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.add_tokens([AddedToken("<w>", rstrip=True, normalized=False)])
    return ranges_of(lambda character: tokenizer.encode("<w>" + character).offsets[0][1] == 4)


def decompositions() -> list[int]:
    """Code point * 2^42 + first * 2^21 + second (0: none), a step of NFD; 2^63 more if NFC joins them.

    Hangul syllables are left to arithmetic.
    """
    nfd, nfc = normalizers.NFD(), normalizers.NFC()
    found = []
    for code in code_points():
        if 0xAC00 <= code <= 0xD7A3 or nfd.normalize_str(chr(code)) == chr(code):
            continue
        parts = [int(part, 16) for part in unicodedata.decomposition(chr(code)).split()]
        if len(parts) > 2 or nfd.normalize_str(chr(code)) != nfd.normalize_str(
            "".join(map(chr, parts))
        ):
            raise SystemExit(f"U+{code:04X} decomposes in another way than unicodedata says")
        first, second = (*parts, 0)[:2]
        joins = second != 0 and nfc.normalize_str("".join(map(chr, parts))) == chr(code)
        found.append((joins << 63) + (code << 42) + (first << 21) + second)
    return found


def combining() -> list[int]:
    """Where a run of characters of one combining class begins: code point * 256 + class."""
    nfd = normalizers.NFD()
    runs: list[int] = []
    for code in code_points():
        of_code = unicodedata.combining(chr(code))
        if of_code:  # as far as the library knows it: a mark of class 1 behind it moves before it
            low, character = ("\u0334", chr(code)) if of_code != 1 else ("", "")
            swapped = nfd.normalize_str("a" + character + low) == "a" + low + nfd.normalize_str(
                character
            )
            of_code = of_code if swapped else 0
        if not runs or runs[-1] % 256 != of_code:
            runs.append(code * 256 + of_code)
    return runs


def lines_of(cells: Iterable[str]) -> list[str]:
    """Cells in lines of at most WIDTH."""
    lines, line = [], "   "
    for cell in cells:
        if len(line) + 1 + len(cell) > WIDTH:
            lines.append(line)
            line = "   "
        line += " " + cell
    return [*lines, line, "};"]


def head(name: str, what: str) -> list[str]:
    """The first lines of a table's file."""
    return [
        "// SPDX-License-Identifier: Apache-2.0",
        f"// {name}: {what} Generated, not edited:",
        (
            "// tests/text/unicode/make_unicode_tables.py asked tokenizers "
            f"{tokenizers.__version__} about every code point."
        ),
    ]


def render() -> str:
    """The text of unicode_tables.inc."""
    if sorted(members(r"\s")) != [
        code for first, last in strip_class() for code in range(first, last + 1)
    ]:
        raise SystemExit("the two whitespace classes differ: unicode.hpp needs two tables now")
    lines = head(TABLES.name, "closed ranges of code points, ascending.")
    lines += ["", "// Where a run of one category begins: code point * 32 + Category"]
    lines += ["inline constexpr std::uint32_t kCategories[] = {"]
    lines += lines_of(f"0x{run:X}," for run in categories())
    for name, meaning, ranges in (
        ("kNumerics", "what Digits isolates", numeric_class()),
        ("kPunctuations", "what Punctuation isolates", punctuation_class()),
        ("kSpaces", r"\s", strip_class()),
        ("kWords", r"\w beside a single_word token", word_class()),
    ):
        lines += ["", f"// {meaning}", f"inline constexpr CodeRange {name}[] = {{"]
        lines += lines_of(f"{{0x{first:04X}, 0x{last:04X}}}," for first, last in ranges)
    return "\n".join(lines) + "\n"


def render_normalization() -> str:
    """The text of normalization_tables.inc."""
    lines = head(NORMALIZATION.name, "canonical decompositions, ascending.")
    lines += ["", "// Code point * 2^42 + first * 2^21 + second; the highest bit: NFC joins them"]
    lines += ["inline constexpr std::uint64_t kDecompositions[] = {"]
    lines += lines_of(
        f"0x{cell:X}," for cell in sorted(decompositions(), key=lambda c: c & ~(1 << 63))
    )
    lines += ["", "// Where a run of one combining class begins: code point * 256 + class"]
    lines += ["inline constexpr std::uint32_t kCombining[] = {"]
    lines += lines_of(f"0x{run:X}," for run in combining())
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="compare with the files instead of writing them"
    )
    arguments = parser.parse_args()

    def body(whole: str) -> str:
        return whole.split("\n\n", 1)[1]

    differ = False
    for path, text in ((TABLES, render()), (NORMALIZATION, render_normalization())):
        if not arguments.check:
            path.write_text(text)
        else:
            differ |= body(text) != body(path.read_text())
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())

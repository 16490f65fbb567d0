# SPDX-License-Identifier: Apache-2.0
"""Writes text/tokenizer/unicode_tables.inc: the character classes as `tokenizers` sees them.

Every code point is asked, one by one, so the tables hold the Unicode version of that library's
regex engine and of its standard library, which are not the same. `--check` compares instead of
writing and exits with 1 on a difference.

    python tests/text/tokenizer/make_unicode_tables.py [--check]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

ROOT = Path(__file__).parents[3]
TABLES = ROOT / "include" / "flashlm" / "text" / "tokenizer" / "unicode_tables.inc"
Ranges = list[tuple[int, int]]


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


def regex_class(pattern: str) -> Ranges:
    """Members of a class of the regex engine behind `Split` and `ByteLevel`."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return ranges_of(lambda character: not split.pre_tokenize_str(character))


def numeric_class() -> Ranges:
    """What `Digits` cuts off."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    return ranges_of(lambda character: len(digits.pre_tokenize_str(character + "x")) == 2)


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


def render() -> str:
    """The text of the .inc file."""
    space = regex_class(r"\s")
    if space != strip_class():
        raise SystemExit("the two whitespace classes differ: unicode.hpp needs two tables now")
    tables = [
        ("kLetters", r"\p{L}", regex_class(r"\p{L}")),
        ("kNumbers", r"\p{N}", regex_class(r"\p{N}")),
        ("kNumerics", "what Digits isolates", numeric_class()),
        ("kSpaces", r"\s", space),
        ("kWords", r"\w beside a single_word token", word_class()),
    ]
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "// unicode_tables.inc: closed ranges of code points, ascending. Generated, not edited:",
        (
            f"// tests/text/tokenizer/make_unicode_tables.py asked tokenizers {tokenizers.__version__} about "
            f"every code point."
        ),
    ]
    for name, meaning, ranges in tables:
        lines += ["", f"// {meaning}", f"inline constexpr CodeRange {name}[] = {{"]
        cells = [f"{{0x{first:04X}, 0x{last:04X}}}," for first, last in ranges]
        line = "   "
        for cell in cells:
            if len(line) + 1 + len(cell) > 100:
                lines.append(line)
                line = "   "
            line += " " + cell
        lines += [line, "};"]
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

    def body(whole: str) -> str:
        return whole.split("\n\n", 1)[1]

    return int(body(text) != body(TABLES.read_text()))


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""The text of tiny_opt: two public-domain sources out of Debian packages, cut into chapters.

* the King James Bible: `bible -f` of the package bible-kjv (4.38), which reads bible-kjv-text
* six novels of Jane Austen: the data of the package r-cran-janeaustenr (1.0.0)

``apt-get install bible-kjv r-cran-janeaustenr`` brings both.
"""

from __future__ import annotations

import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

JANEAUSTENR = Path("/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb")


class Split(NamedTuple):
    """Chapters by what they are for."""

    train: list[str]
    calibration: list[str]  # for predictors: text that the model has not seen
    heldout: list[str]  # for perplexity: text that neither the model nor a predictor has seen


def split() -> Split:
    """All chapters: of every 40, one is for calibration and one is held out."""
    chapters = [*bible_chapters(), *austen_chapters()]
    return Split(
        train=[chapter for i, chapter in enumerate(chapters) if i % 40 not in {13, 33}],
        calibration=[chapter for i, chapter in enumerate(chapters) if i % 40 == 13],
        heldout=[chapter for i, chapter in enumerate(chapters) if i % 40 == 33],
    )


def bible_chapters() -> Iterator[str]:
    """One text a chapter, its verses joined, without their numbers."""
    listing = subprocess.run(
        ["bible", "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=True
    ).stdout
    verses = re.findall(r"^(\w+?\d+):\d+ (.*)$", listing, re.MULTILINE)
    for _, chapter in groupby(verses, key=lambda verse: verse[0]):
        yield " ".join(text.strip() for _, text in chapter)


def austen_chapters(path: Path = JANEAUSTENR) -> Iterator[str]:
    """One text a chapter, its paragraphs on a line each."""
    for lines in r_string_vectors(path.read_bytes()):
        paragraphs = [re.sub(r"\s+", " ", text).strip() for text in "\n".join(lines).split("\n\n")]
        chapter: list[str] = []
        for paragraph in filter(None, paragraphs):
            if re.match(r"(?:CHAPTER|Chapter|VOLUME|THE END|FINIS|Finis)\b", paragraph):
                if len(chapter) > 3:  # less is a title page
                    yield "\n".join(chapter)
                chapter = []
            else:
                chapter.append(paragraph)
        if len(chapter) > 3:
            yield "\n".join(chapter)


def r_string_vectors(blob: bytes) -> Iterator[list[str]]:
    """The values of an R lazy-load file: each a length, then a deflated XDR stream that holds a vector of strings."""
    while blob:
        inflate = zlib.decompressobj()
        stream = inflate.decompress(blob[4:])
        blob = inflate.unused_data
        at = 23  # behind "X\n", three versions and the name of the encoding
        kind, count = struct.unpack_from(">II", stream, at)
        if kind & 0xFF != 16:
            raise ValueError(
                f"{JANEAUSTENR}: expected a vector of strings, got R type {kind & 0xFF}"
            )
        at += 8
        strings = []
        for _ in range(count):
            (length,) = struct.unpack_from(">I", stream, at + 4)
            strings.append(stream[at + 8 : at + 8 + length].decode())
            at += 8 + length
        yield strings

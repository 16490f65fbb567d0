# SPDX-License-Identifier: Apache-2.0
"""The tokenizer against the `tokenizers` library, on random text and on every character."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flashlm._core import Tokenizer
from theirs import Theirs, fingerprints

TEXT = Path(__file__).parents[3] / "text" / "tokenizer"
GOLDEN = TEXT / "golden"
NAMES = [
    *("gpt2", "spaced", "llama3", "qwen2", "smollm", "nfc", "qwen35", "gpt-4o", "tekken"),
    *("deepseek-v3", "deepseek-llm", "falcon"),
]
PIECES = ["llama2", "gemma", "metaspace_first", "metaspace_always"]
FRAGMENTS = [
    *(
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u00a0",
        "\u3000",
        "\u2028",
        "\u0085",
        "\u200b",
        "\ufeff",
        "\u180e",
    ),
    *(
        "'s",
        "'S",
        "'\u017f",
        "'ll",
        "'lL",
        "'re",
        "'x",
        "''",
        "\u2019s",
        "'",
        "a",
        "Z",
        "the",
        "\u00e9",
        "e\u0301",
        "\u0440\u0443",
    ),
    *(
        "1",
        "12",
        "1234",
        "\u00b2",
        "\u2167",
        "\u0663",
        "\u4e00",
        "\u65e5\u672c",
        "\uac00",
        "\u0ba4\u0bae\u0bbf",
        "\u200d",
    ),
    *(
        ".",
        "...",
        "!?",
        "==",
        "_",
        "\ufe0f",
        "\U0001f468",
        "\U0001f3fd",
        "\x00",
        "\x7f",
        "\u0301",
        "\ufffd",
        "\U0010ffff",
    ),
    *(
        "<|im_start|>",
        "<|im_end|>",
        "<|im_end",
        "<special>",
        "<left>",
        "<right>",
        "<both>",
        "<word>",
        "<norm>",
        "<normal>",
    ),
    *("  <", "<", ">"),
]


def random_text(source: random.Random) -> str:
    """A few fragments and random characters."""
    parts = []
    for _ in range(source.randrange(1, 25)):
        kind = source.random()
        if kind < 0.75:
            parts.append(source.choice(FRAGMENTS))
        elif kind < 0.85:
            parts.append(chr(source.randrange(0x250)))
        elif kind < 0.95:
            parts.append(
                chr(source.choice([source.randrange(0xD800), source.randrange(0xE000, 0x10000)]))
            )
        else:
            parts.append(chr(source.randrange(0x10000, 0x110000)))
    return "".join(parts)


def load_script(path: Path) -> Any:
    """A script of tests/text as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answers(name: str, texts: list[str], tokenizer: Any) -> list[Any]:
    """Ids with special tokens parsed and without, and the text of the same ids in another order, of each text."""
    source = random.Random(name)
    result = []
    for text in texts:
        ids = tokenizer.encode(text)
        plain = tokenizer.encode(text, parse_special=False, add_special=False)
        mixed = list(ids)
        source.shuffle(mixed)  # cuts characters
        result.append(
            [ids, plain, *(tokenizer.decode(mixed, skip_special=skip) for skip in (False, True))]
        )
    return result


class OfLibrary:
    """A tokenizer of the `tokenizers` library with the calls of ours."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(
        self, text: str, *, parse_special: bool = True, add_special: bool = True
    ) -> list[int]:
        self._tokenizer.encode_special_tokens = not parse_special
        return list(self._tokenizer.encode(text, add_special_tokens=add_special).ids)

    def decode(self, ids: list[int], *, skip_special: bool) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=skip_special))


def assert_same(ours: list[Any], expected: Any, texts: list[str]) -> None:
    """Each answer has the 64 bits that were recorded of theirs."""
    for answer, mine, wanted, text in zip(ours, fingerprints(ours), expected, texts, strict=True):
        assert mine == wanted, f"{text!r}: {answer}"


@pytest.mark.live
@pytest.mark.parametrize("name", NAMES)
def test_random_text_has_the_same_ids_and_the_same_text(
    name: str, need: Callable[[str], Any], theirs: Theirs
) -> None:
    path = GOLDEN / f"{name}.tokenizer.json"
    source = random.Random(name)
    texts = [random_text(source) for _ in range(3000)]

    def ask() -> Any:
        return fingerprints(
            answers(name, texts, OfLibrary(need("tokenizers").Tokenizer.from_file(str(path))))
        )

    assert_same(answers(name, texts, Tokenizer.open(path)), theirs(ask, given=[path, texts]), texts)


@pytest.mark.live
@pytest.mark.parametrize("name", PIECES)
def test_random_text_becomes_the_same_pieces(
    name: str, need: Callable[[str], Any], theirs: Theirs
) -> None:
    path = GOLDEN / f"{name}.tokenizer.json"
    source = random.Random(name)
    texts = [random_text(source) for _ in range(2000)]

    def answer(tokenizer: Any) -> list[Any]:
        return [tokenizer.encode(text) for text in texts]

    def ask() -> Any:
        return fingerprints(answer(OfLibrary(need("tokenizers").Tokenizer.from_file(str(path)))))

    assert_same(answer(Tokenizer.open(path)), theirs(ask, given=[path, texts]), texts)


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "llama3", "smollm", "gpt-4o"])
def test_every_character_is_cut_alike(
    name: str, need: Callable[[str], Any], theirs: Theirs
) -> None:
    path = GOLDEN / f"{name}.tokenizer.json"
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]

    def answer(tokenizer: Any) -> list[Any]:
        """Ids of text about a thousand characters at a time."""
        result = []
        for begin in range(0, len(characters), 1024):
            ids: list[list[int]] = []
            for first in range(begin, min(begin + 1024, len(characters)), 64):
                chunk = characters[first : first + 64]
                text = "".join(f"a{each}1 {each}b '{each} <word>{each}\n" for each in chunk)
                ids.append(tokenizer.encode(text))
            result.append(ids)
        return result

    def ask() -> Any:
        return fingerprints(answer(OfLibrary(need("tokenizers").Tokenizer.from_file(str(path)))))

    expected = theirs(ask, given=path)
    for index, (mine, wanted) in enumerate(
        zip(fingerprints(answer(Tokenizer.open(path))), expected, strict=True)
    ):
        assert mine == wanted, f"U+{ord(characters[1024 * index]):04X} and on"


@pytest.mark.live
@pytest.mark.parametrize("name", NAMES)
def test_one_id_that_is_wrong_is_noticed(name: str) -> None:
    """The comparison above can fail, at each text."""
    source = random.Random(name)
    texts = [random_text(source) for _ in range(3000)]
    expected = Theirs("test_random_text_has_the_same_ids_and_the_same_text", name).recorded(name)
    ours = answers(name, texts, Tokenizer.open(GOLDEN / f"{name}.tokenizer.json"))
    assert (fingerprints(ours) == expected).all()
    for answer in ours:
        answer[0].append(0)
    assert not (fingerprints(ours) == expected).any()


@pytest.mark.live
@pytest.mark.parametrize("name", ["unicode", "normalization"])
def test_the_character_tables_are_those_of_the_library(
    name: str, need: Callable[[str], Any], theirs: Theirs
) -> None:
    def digest(text: str) -> str:
        return hashlib.sha256(text.split("\n\n", 1)[1].encode()).hexdigest()

    def ask() -> str:
        need("tokenizers")
        script = load_script(TEXT.parent / "unicode" / "make_unicode_tables.py")
        return digest(script.render() if name == "unicode" else script.render_normalization())

    text = Path(__file__).parents[4] / "include" / "flashlm" / "text"
    folder = {"unicode": "unicode", "normalization": "tokenizer"}[name]
    tables = text / folder / f"{name}_tables.inc"
    assert digest(tables.read_text()) == theirs(ask, given="every code point")


@pytest.mark.live
def test_the_tokenizer_of_a_gguf_gives_the_ids_of_transformers(
    real_gguf: Path, need: Callable[[str], Any], theirs: Theirs
) -> None:
    import gguf

    from flashlm.packing.tokenizers.tokenizer import tokenizer_json

    fields = gguf.GGUFReader(real_gguf).fields
    document = json.dumps(
        tokenizer_json(
            {
                name: field.contents()
                for name, field in fields.items()
                if not name.startswith("GGUF.")
            }
        )
    )
    ours = Tokenizer.parse(document)
    source = random.Random(1)
    cases = json.loads((GOLDEN / "smollm.json").read_text())["cases"]
    texts = [*(case["text"] for case in cases), *(random_text(source) for _ in range(3000))]
    # transformers forgets that this vocabulary cuts off every digit, so only text without digits
    # can agree.
    has_digits = [any(character.isnumeric() for character in text) for text in texts]
    assert not all(has_digits)

    def ask() -> list[Any]:
        same = need("tokenizers").Tokenizer.from_str(document)
        reference = need("transformers").AutoTokenizer.from_pretrained(
            str(real_gguf.parent), gguf_file=real_gguf.name
        )
        result = []
        for text, digits in zip(texts, has_digits, strict=True):
            ids = same.encode(text).ids
            plain = None if digits else reference.encode(text)
            assert digits or ids == plain, repr(text)
            result.append([ids, reference.decode(ids, clean_up_tokenization_spaces=False)])
        return [len(reference), [int(each) for each in fingerprints(result)]]

    size, expected = theirs(ask, given=[real_gguf.name, real_gguf.stat().st_size, texts])
    assert ours.vocab_size == size
    mine = [[ids, ours.decode(ids)] for ids in map(ours.encode, texts)]
    assert_same(mine, expected, texts)


@pytest.mark.torch
def test_the_committed_probabilities_are_those_of_transformers(need: Callable[[str], Any]) -> None:
    need("transformers")
    need("torch")
    made = load_script(TEXT / "make_goldens.py").sampler_cases()["cases"]
    committed = json.loads((GOLDEN / "sampler.json").read_text())["cases"]
    assert len(made) == len(committed)
    for ours, theirs in zip(committed, made, strict=True):
        assert ours["options"] == theirs["options"]
        assert ours["probabilities"] == pytest.approx(theirs["probabilities"], rel=1e-5, abs=1e-9)

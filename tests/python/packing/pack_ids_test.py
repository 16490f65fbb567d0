# SPDX-License-Identifier: Apache-2.0
"""Ids and tokens beyond the rows of a model: what is used is refused before anything is written, the rest runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
import random_gguf
import random_llama

CASE = random_llama.case("grouped")
NONE = 4294967295  # how GGUFs say that there is no such token
UNUSED = ("padding", "unknown", "seperator", "mask", "cls", "fim_pre", "eot", "eom")


def added(key: str, value: int) -> Callable[[Any, Any], None]:
    return lambda writer, _: writer.add_uint32(f"tokenizer.ggml.{key}_token_id", value)


@pytest.mark.parametrize("key", UNUSED)
@pytest.mark.parametrize("value", [NONE, 101, 5000])
def test_an_id_of_a_gguf_that_nothing_uses_may_be_any(tmp_path: Path, key: str, value: int) -> None:
    path = random_gguf.write(CASE, tmp_path / "m.gguf", change=added(key, value))
    with flashlm.LanguageModel.from_pretrained(
        flashlm.pack(path, tmp_path / "m.flash"), memory="100%"
    ) as lm:
        assert lm.generate("the", max_new_tokens=2) is not None
    assert "pad_token_id" not in json.loads(
        (tmp_path / "m.flash" / "generation_config.json").read_text()
    )


@pytest.mark.parametrize("key", ["bos", "eos"])
def test_an_id_of_a_gguf_that_is_used_must_be_one_of_the_vocabulary(
    tmp_path: Path, key: str
) -> None:
    def change(writer: Any, value: int) -> None:
        del writer.kv_data[0][f"tokenizer.ggml.{key}_token_id"]
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", value)

    path = random_gguf.write(
        CASE, tmp_path / "m.gguf", change=lambda writer, _: change(writer, 101)
    )
    with pytest.raises(
        flashlm.FormatError, match=rf"tokenizer.ggml.{key}_token_id below 101, got 101 .*m\.gguf"
    ):
        flashlm.pack(path, tmp_path / "m.flash")
    assert [file.name for file in tmp_path.iterdir()] == ["m.gguf"]
    if key == "eos":  # a file may say that it has none
        path = random_gguf.write(
            CASE, tmp_path / "none.gguf", change=lambda writer, _: change(writer, NONE)
        )
        assert flashlm.pack(path, tmp_path / "none.flash").is_dir()


@pytest.mark.parametrize(
    "key", ["pad_token_id", "unk_token_id", "sep_token_id", "decoder_start_token_id"]
)
@pytest.mark.parametrize("value", [-1, 101, NONE])
def test_an_id_of_a_config_that_nothing_uses_may_be_any(
    tmp_path: Path, key: str, value: int
) -> None:
    source = random_llama.write_folder(CASE, tmp_path / "source")
    for name in ("config.json", "generation_config.json"):
        path = source / name
        path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with flashlm.LanguageModel.from_pretrained(
        flashlm.pack(source, tmp_path / "m.flash"), memory="100%"
    ) as lm:
        assert lm.generate("the", max_new_tokens=2) is not None


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config.json", "bos_token_id", 101),
        ("config.json", "bos_token_id", NONE),
        ("generation_config.json", "eos_token_id", 101),
        ("generation_config.json", "eos_token_id", [100, 101]),
    ],
)
def test_an_id_of_a_config_that_is_used_is_refused_before_anything_is_written(
    tmp_path: Path, name: str, key: str, value: object
) -> None:
    source = random_llama.write_folder(CASE, tmp_path / "source")
    path = source / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(flashlm.FormatError, match=rf"{key}.*{name}"):
        flashlm.pack(source, tmp_path / "m.flash")
    assert [file.name for file in tmp_path.iterdir()] == ["source"]


def test_the_eos_of_a_config_is_used_only_where_generation_config_has_none(tmp_path: Path) -> None:
    source = random_llama.write_folder(CASE, tmp_path / "source")
    path = source / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": 101}))
    assert flashlm.pack(source, tmp_path / "m.flash").is_dir()
    (source / "generation_config.json").write_text("{}")
    with pytest.raises(flashlm.FormatError, match=r"eos_token_id.*config\.json"):
        flashlm.pack(source, tmp_path / "n.flash")


def larger_tokenizer(*contents: str, special: bool = True) -> dict[str, Any]:
    """The tokenizer of 101 tokens with more, from id 101 on."""
    document = random_llama.tokenizer()
    for number, content in enumerate(contents):
        entry = dict(document["added_tokens"][0]) | {
            "id": 101 + number,
            "content": content,
            "special": special,
        }
        document["added_tokens"].append(entry)
    return document


@pytest.mark.parametrize("special", [True, False])
def test_a_tokenizer_with_more_tokens_than_rows_packs_and_runs(
    tmp_path: Path, special: bool
) -> None:
    plain = flashlm.pack(
        random_llama.write_folder(CASE, tmp_path / "plain"), tmp_path / "plain.flash"
    )
    source = random_llama.write_folder(CASE, tmp_path / "source")
    document = larger_tokenizer("<pad>", "th!", special=special)
    (source / "tokenizer.json").write_text(
        json.dumps(document, ensure_ascii=False), encoding="utf-8"
    )
    folder = flashlm.pack(source, tmp_path / "m.flash")
    with (
        flashlm.LanguageModel.from_pretrained(plain, memory="100%") as expected,
        flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm,
    ):
        assert np.array_equal(lm.logits([1, 2, 3]), expected.logits([1, 2, 3]))
        for seed in range(5):
            options: dict[str, Any] = {"max_new_tokens": 30, "temperature": 2.0, "seed": seed}
            assert lm.generate("the", **options) == expected.generate("the", **options)
        assert lm.tokenizer.encode("<pad>", add_special=False) == [101]
        for text, token in (("a<pad>b", 101), ("th!", 102)):
            with pytest.raises(
                flashlm.ArgumentError, match=rf"ids below 101, got {token}, which is .*leave it out"
            ):
                lm.generate(text)
            with pytest.raises(flashlm.ArgumentError, match="a row for"):
                lm.perplexity(text)
        schema = {"enum": ["th!th!"]}
        assert lm.generate("Say", json_schema=schema, max_new_tokens=30) == '"th!th!"'
        assert lm.generate("th !", max_new_tokens=2) is not None


def test_a_gguf_with_more_tokens_than_rows_packs_and_runs(tmp_path: Path) -> None:
    def change(writer: Any, _: Any) -> None:
        del writer.kv_data[0]["llama.vocab_size"]
        tokens, types = (
            writer.kv_data[0][f"tokenizer.ggml.{key}"] for key in ("tokens", "token_type")
        )
        tokens.value.append("<pad>")
        types.value.append(3)

    path = random_gguf.write(CASE, tmp_path / "m.gguf", change=change)
    with flashlm.LanguageModel.from_pretrained(
        flashlm.pack(path, tmp_path / "m.flash"), memory="100%"
    ) as lm:
        assert lm.config["vocab_size"] == 101
        assert lm.tokenizer.vocab_size == 102
        assert lm.generate("the", max_new_tokens=4) is not None


def test_tokens_around_every_text_that_have_no_row_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    source = random_llama.write_folder(CASE, tmp_path / "source")
    document = larger_tokenizer("<s>")
    document["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "<s>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
        ],
        "pair": [],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [101], "tokens": ["<s>"]}},
    }
    (source / "tokenizer.json").write_text(
        json.dumps(document, ensure_ascii=False), encoding="utf-8"
    )
    with pytest.raises(
        flashlm.FormatError, match=r"below 101, .* got 101 .*tokenizer\.json, post_processor"
    ):
        flashlm.pack(source, tmp_path / "m.flash")
    assert [file.name for file in tmp_path.iterdir()] == ["source"]

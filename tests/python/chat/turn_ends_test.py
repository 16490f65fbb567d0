# SPDX-License-Identifier: Apache-2.0
"""Whatever ends a text or a turn ends an answer, however the model came."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import flashlm
import random_gguf
import random_llama
from flashlm.chat._template.turn_ends import turn_ends, with_ends
from theirs import Theirs

HELLO = [{"role": "user", "content": "Hello"}]
TEXT_END, TURN_BEGIN, TURN_END = 0, 1, 2  # of the tiny model's tokens
Write = Callable[..., Path]


def ends(folder: Path) -> Any:
    return json.loads((folder / "generation_config.json").read_text())["eos_token_id"]


def packed(source: Path) -> Path:
    return flashlm.pack(source, source.with_name("out.flash"))


def test_a_chat_model_ends_at_the_end_of_text_and_of_its_turn(
    write_tiny: Write, tmp_path: Path
) -> None:
    source = write_tiny(tmp_path / "source", eos_token_id=TEXT_END)
    (source / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    folder = packed(source)
    assert ends(folder) == [TEXT_END, TURN_END]
    with flashlm.LanguageModel.from_pretrained(folder) as lm:
        assert lm.config["eos"] == [TEXT_END, TURN_END]


@pytest.mark.parametrize(
    "given", [{}, {"eos_token": "<|endoftext|>"}, {"eos_token": {"content": "<|endoftext|>"}}]
)
def test_the_end_of_the_template_ends_a_turn_whatever_the_tokenizer_says(
    given: dict[str, Any], write_tiny: Write, tmp_path: Path
) -> None:
    source = write_tiny(tmp_path / "source", eos_token_id=TEXT_END)
    (source / "tokenizer_config.json").write_text(json.dumps(given))
    assert ends(packed(source)) == [TEXT_END, TURN_END]


def test_the_tokenizers_end_ends_a_text_without_a_known_name(
    write_tiny: Write, tmp_path: Path
) -> None:
    source = write_tiny(tmp_path / "source", eos_token_id=TEXT_END)
    (source / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
    )
    (source / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_start|>"}))
    assert ends(packed(source)) == [TEXT_END, TURN_BEGIN]


def test_a_base_model_ends_where_its_config_says(write_tiny: Write, tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "source", eos_token_id=TEXT_END)
    (source / "chat_template.jinja").unlink()
    assert ends(packed(source)) == TEXT_END


def test_a_generation_config_that_has_all_ends_stays_as_it_is(
    write_tiny: Write, tmp_path: Path
) -> None:
    source = write_tiny(tmp_path / "source", eos_token_id=TEXT_END)
    text = '{"eos_token_id":  [2, 0], "top_p": 0.9}'
    (source / "generation_config.json").write_text(text)
    assert (packed(source) / "generation_config.json").read_text() == text


def test_what_else_a_generation_config_says_is_kept(write_tiny: Write, tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "source", eos_token_id=TEXT_END)
    (source / "generation_config.json").write_text('{"eos_token_id": 0, "top_p": 0.9}')
    kept = json.loads((packed(source) / "generation_config.json").read_text())
    assert kept == {"eos_token_id": [0, 2], "top_p": 0.9}


def test_the_same_model_ends_alike_as_folder_and_as_gguf(tmp_path: Path) -> None:
    case = random_llama.case("grouped")
    source = random_llama.write_folder(case, tmp_path / "source")
    (source / "chat_template.jinja").write_text(random_gguf.TEMPLATE)
    folder = packed(source)
    other = flashlm.pack(random_gguf.write(case, tmp_path / "model.gguf"), tmp_path / "gguf.flash")
    as_list = [
        value if isinstance(value, list) else [value] for value in (ends(folder), ends(other))
    ]
    assert as_list[0] == as_list[1]


@pytest.mark.live
def test_transformers_would_end_at_the_same_ids(
    write_tiny: Write, tmp_path: Path, need: Callable[[str], Any], theirs: Theirs
) -> None:
    source = write_tiny(tmp_path / "source", eos_token_id=TEXT_END)
    config = '{"eos_token_id": [2, 0]}'
    (source / "generation_config.json").write_text(config)

    def ask() -> Any:
        return need("transformers").GenerationConfig.from_pretrained(source).eos_token_id

    with flashlm.LanguageModel.from_pretrained(packed(source)) as lm:
        assert lm.config["eos"] == theirs(ask, given=config)


def test_a_folder_that_was_packed_without_the_end_of_a_turn_ends_there_too(
    write_tiny: Write, tmp_path: Path
) -> None:
    """The model says <|im_end|> whatever it is asked: the text of a chat is empty all the same."""
    source = always_saying(TURN_END, write_tiny, tmp_path)
    (source / "chat_template.jinja").write_text("{{ messages[0].content }}")  # names no end
    folder = packed(source)
    assert ends(folder) == TEXT_END
    with flashlm.LanguageModel.from_pretrained(folder) as lm:
        assert lm.chat(HELLO, max_new_tokens=3) == "<|im_end|>" * 3
        lm.chat_template.sources["default"] += (
            "<|im_end|>"  # as an older version would have packed it
        )
        lm._ends = None
        assert lm.chat(HELLO, max_new_tokens=3) == ""
        assert lm.session().chat(HELLO, max_new_tokens=3) == ""


@pytest.mark.parametrize("token", [TEXT_END, TURN_END])
def test_an_answer_ends_at_either_end(token: int, write_tiny: Write, tmp_path: Path) -> None:
    source = always_saying(token, write_tiny, tmp_path)
    with flashlm.LanguageModel.from_pretrained(packed(source)) as lm:
        generation = lm.stream_chat(HELLO, max_new_tokens=5)
        assert "".join(generation) == ""
        assert (generation.finish_reason, generation.tokens[-1:]) == ("eos", [token])


def always_saying(token: int, write_tiny: Write, tmp_path: Path) -> Path:
    """A model whose likeliest next token is always the same."""
    source = write_tiny(tmp_path / "source", tie_word_embeddings=False, eos_token_id=TEXT_END)
    tensors = load_file(source / "model.safetensors")
    for name, values in tensors.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            values[:] = 0  # each token stays what it is
    embedding = np.abs(tensors["model.embed_tokens.weight"]) + np.float32(0.1)
    head = np.zeros_like(embedding)
    head[token] = 1  # every embedding is positive
    save_file(
        {**tensors, "model.embed_tokens.weight": embedding, "lm_head.weight": head},
        source / "model.safetensors",
    )
    return source


@pytest.mark.parametrize(
    ("control", "template", "eos", "expected"),
    [
        (["<|eot_id|>", "<|eom_id|>", "</s>"], "x<|eot_id|>", "</s>", ["</s>", "<|eot_id|>"]),
        (["<end_of_turn>", "<eos>"], "<end_of_turn>", "<eos>", ["<eos>", "<end_of_turn>"]),
        (["<|end|>", "<|endoftext|>"], "<|end|>", None, ["<|end|>"]),
        (
            ["<|end|>", "<|return|>", "<|call|>"],
            "<|end|><|return|><|call|>",
            "<|return|>",
            ["<|return|>", "<|call|>"],
        ),
        (["<|im_end|>"], "no end", None, []),
        ([], "<|im_end|>", "<|im_end|>", []),
    ],
)
def test_the_ends_of_the_families(
    control: list[str], template: str, eos: str | None, expected: list[str]
) -> None:
    assert turn_ends(control, [template], eos) == expected


def test_an_end_that_is_only_the_default_of_a_config_is_none() -> None:
    control = {"<eos>": 5}
    assert with_ends({"eos_token_id": [5]}, {"eos_token_id": 2}, control, []) == {
        "eos_token_id": [5]
    }
    assert with_ends({}, {"eos_token_id": 2}, control, []) == {"eos_token_id": 2}
    assert with_ends(
        {"eos_token_id": 7}, {"eos_token_id": 5, "vocab_size": 5}, control, ["<eos>"]
    ) == {"eos_token_id": [7, 5]}

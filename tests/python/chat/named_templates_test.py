# SPDX-License-Identifier: Apache-2.0
"""Chat templates that a model has by name are packed.

Tools reach the prompt, or somebody is told.
"""

from __future__ import annotations

import fnmatch
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flashlm
import random_gguf
import random_llama
from flashlm.chat._template import files
from flashlm.packing.sources import hub
from theirs import Theirs

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "", "parameters": {"type": "object"}},
}
PLAIN = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}"
TOOLS = "{% for tool in tools %}{{ tool | tojson }}{% endfor %}" + PLAIN
RAG = "{{ documents | length }}" + PLAIN
Write = Callable[..., Path]


def packed(source: Path, tmp_path: Path) -> flashlm.ChatTemplate:
    return flashlm.ChatTemplate.open(flashlm.pack(source, tmp_path / "out.flash"))


def folder_with_named(write_tiny: Write, tmp_path: Path) -> Path:
    source = write_tiny(tmp_path / "source")
    (source / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    (source / "chat_template.jinja").write_text(PLAIN)
    (source / "additional_chat_templates").mkdir()
    (source / "additional_chat_templates" / "tool_use.jinja").write_text(TOOLS)
    (source / "additional_chat_templates" / "rag.jinja").write_text(RAG)
    return source


def folder_with_list(write_tiny: Write, tmp_path: Path) -> Path:
    source = write_tiny(tmp_path / "source")
    (source / "chat_template.jinja").unlink()
    listed = {"default": PLAIN, "tool_use": TOOLS, "rag": RAG}
    settings = {
        "eos_token": "<|im_end|>",
        "chat_template": [{"name": name, "template": text} for name, text in listed.items()],
    }
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    return source


@pytest.mark.parametrize("make", [folder_with_named, folder_with_list])
def test_named_templates_of_a_folder_are_packed(
    make: Callable[[Write, Path], Path], write_tiny: Write, tmp_path: Path
) -> None:
    template = packed(make(write_tiny, tmp_path), tmp_path)
    assert template.sources == {"default": PLAIN, "tool_use": TOOLS, "rag": RAG}
    assert template.render(HELLO) == "[user]Hello<|im_end|>"
    assert '"name": "weather"' in template.render(HELLO, tools=[TOOL])


@pytest.mark.live
@pytest.mark.parametrize("make", [folder_with_named, folder_with_list])
@pytest.mark.parametrize("tools", [None, [], [TOOL]])
def test_named_templates_make_the_prompts_of_transformers(
    make: Callable[[Write, Path], Path],
    tools: Any,
    write_tiny: Write,
    tmp_path: Path,
    *,
    need: Callable[[str], Any],
    theirs: Theirs,
) -> None:
    source = make(write_tiny, tmp_path)

    def ask() -> Any:
        tokenizer = need("transformers").PreTrainedTokenizerFast.from_pretrained(source)
        return tokenizer.apply_chat_template(
            HELLO, tools=tools, tokenize=False, add_generation_prompt=True
        )

    expected = theirs(ask, given=[PLAIN, TOOLS, RAG, HELLO, tools])
    assert packed(source, tmp_path).render(HELLO, tools=tools) == expected


def test_named_templates_of_a_gguf_are_packed(tmp_path: Path) -> None:
    def add(writer: Any, _: Any) -> None:
        writer.add_string("tokenizer.chat_template.tool_use", TOOLS)
        writer.add_string("tokenizer.chat_template.rag", RAG)

    source = random_gguf.write(random_llama.case("grouped"), tmp_path / "model.gguf", change=add)
    template = packed(source, tmp_path)
    assert template.sources == {"default": random_gguf.TEMPLATE, "tool_use": TOOLS, "rag": RAG}
    assert '"name": "weather"' in template.render(HELLO, tools=[TOOL])


def test_what_a_chat_template_reads_is_what_packing_keeps(
    write_tiny: Write, tmp_path: Path
) -> None:
    source = write_tiny(tmp_path / "source")
    contents = {
        "tokenizer_config.json": json.dumps({"extra_special_tokens": {"image_token": "<image>"}}),
        "special_tokens_map.json": json.dumps(
            {"eos_token": {"content": "<|im_end|>"}, "sep_token": "<sep>"}
        ),
        "generation_config.json": json.dumps({"pad_token_id": 0, "eos_token_id": 2}),
        files.DEFAULT: "default {{ eos_token }} {{ sep_token }} {{ image_token }} {{ pad_token }}",
        files.NAMED: json.dumps({"one": "1"}),
        f"{files.NAMED_FOLDER}/two.jinja": "2",
    }
    (source / files.NAMED_FOLDER).mkdir()
    for name, text in contents.items():
        (source / name).write_text(text)
    read = {path.relative_to(source).as_posix() for path in files.template_files(source)}
    assert read == {*contents, "config.json"} == {*files.FILES, f"{files.NAMED_FOLDER}/two.jinja"}
    assert all(any(fnmatch.fnmatch(name, pattern) for pattern in hub.FILES) for name in read)

    folder = flashlm.pack(source, tmp_path / "out.flash")
    tokenizer = flashlm.Tokenizer.open(str(source / "tokenizer.json"))
    before, after = (flashlm.ChatTemplate.open(place, tokenizer) for place in (source, folder))
    assert (
        after.sources
        == before.sources
        == {"default": contents[files.DEFAULT], "one": "1", "two": "2"}
    )
    assert after.special_tokens == before.special_tokens
    assert after.render(HELLO) == "default <|im_end|> <sep> <image> <|endoftext|>"


def test_a_broken_named_template_is_a_format_error(write_tiny: Write, tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "source")
    (source / files.NAMED).write_text('{"tool_use": 3}')
    with pytest.raises(
        flashlm.FormatError, match=r"tool_use: expected a template, got int .*chat_templates\.json"
    ):
        flashlm.pack(source, tmp_path / "out.flash")
    assert not (tmp_path / "out.flash").exists()


# A template that ignores tools


def test_a_template_that_ignores_tools_warns_once() -> None:
    template = flashlm.ChatTemplate(PLAIN, name="plain")
    with pytest.warns(
        UserWarning, match=r"tools: the model's template ignores them.* \(plain\)"
    ) as told:
        template.render(HELLO, tools=[TOOL])
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        template.render(HELLO, tools=[TOOL])
        template.render_parts(HELLO, [], tools=[TOOL])


def test_a_chat_with_tools_that_nobody_sees_warns(tiny: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(tiny) as lm:
        with pytest.warns(UserWarning, match="ignores them") as told:
            lm.chat(HELLO, tools=[TOOL], max_new_tokens=1)
        assert [warning.filename for warning in told] == [__file__]


@pytest.mark.parametrize(
    ("source", "messages"),
    [
        (TOOLS, HELLO),
        ("{{ raise_exception('tools!') if not tools }}" + PLAIN, HELLO),
        (PLAIN, [{"role": "system", "content": "Call weather to know it."}, *HELLO]),
    ],
)
def test_tools_that_are_in_the_prompt_warn_of_nothing(source: str, messages: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flashlm.ChatTemplate(source).render(messages, tools=[TOOL])
        flashlm.ChatTemplate(source).render_parts(
            [*messages, {"role": "user", "content": "<s>"}], ["<s>"], tools=[TOOL]
        )

# SPDX-License-Identifier: Apache-2.0
"""The packer says without Jinja what a template writes, or says why it cannot."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

import flashlm
from flashlm.packing.chat_format import chat_format

MAKER: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[1] / "golden" / "chat_templates.py")
)
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
    "message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if "
    "loop.index0 == 0 %}"
    "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + "
    "message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ "
    "message['content'] + eos_token}}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
ZEPHYR = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + "
    "eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] "
    "+ eos_token }}\n"
    "{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n' + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
FOLDED = (
    "{% set system = messages[0].content if messages[0].role == 'system' else '' %}{% for m in messages %}"
    "{% if m.role == 'user' %}U:{{ system if loop.index0 == 1 }}{{ m.content }};{% elif m.role == 'assistant' %}"
    "A:{{ m.content }};{% elif not loop.first %}{{ raise_exception('no') }}{% endif %}{% endfor %}"
    "{{ 'A:' if add_generation_prompt }}"
)
ECHO = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}"


def derive(template: str) -> dict[str, Any]:
    settings = json.dumps({"bos_token": "<s>", "eos_token": "</s>"}).encode()
    content = chat_format(
        {"chat_template.jinja": template.encode(), "tokenizer_config.json": settings}
    )
    assert content is not None
    result: dict[str, Any] = json.loads(content)
    return result


def write(form: dict[str, Any], messages: list[dict[str, str]]) -> str:
    """What docs/format.md says that a reader does."""
    roles = {entry["role"]: entry for entry in form["roles"]}
    text, previous = "", ""
    for message in messages:
        role = roles[message["role"]]
        assert previous in role["after"]
        content = message["content"].strip() if role["trim"] else message["content"]
        text += (role["later"] if previous else role["first"]) + content + role["suffix"]
        previous = message["role"]
    return text + str(form["answer"])


@pytest.mark.parametrize(
    "template", [MAKER["SMOLLM2"], LLAMA3, MISTRAL, ZEPHYR, ECHO], ids=range(5)
)
def test_a_format_writes_what_the_template_writes(template: str) -> None:
    form = derive(template)
    rendered = flashlm.ChatTemplate(
        template, special_tokens={"bos_token": "<s>", "eos_token": "</s>"}
    )
    talk = [
        {"role": "user", "content": " Hello \n"},
        {"role": "assistant", "content": "\tHi <|im_end|>"},
        {"role": "user", "content": ""},
    ]
    system = (
        [{"role": "system", "content": "Be brief. "}] if "system" not in form["missing"] else []
    )
    for messages in (talk[:1], talk, system + talk[:1], system + talk):
        assert write(form, messages) == rendered.render(messages)


def test_the_default_system_message_is_part_of_the_format() -> None:
    form = derive(MAKER["SMOLLM2"])
    user = next(entry for entry in form["roles"] if entry["role"] == "user")
    assert "You are a helpful AI assistant named SmolLM" in user["first"]
    assert "SmolLM" not in user["later"]


def test_a_role_that_the_template_refuses_or_rewrites_is_missing_with_the_reason() -> None:
    assert derive(MISTRAL)["missing"] == {
        "system": "the template refuses it",
        "tool": "the template refuses it",
    }
    assert "tool" in derive(ZEPHYR)["missing"]
    assert (
        "comes out" in derive(FOLDED)["missing"]["system"]
        or "does not" in derive(FOLDED)["missing"]["system"]
    )


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ strftime_now('%d') }}" + ECHO, "the date of the day"),
        ("{{ messages | length }}" + ECHO, "comes out as"),
        (ECHO + "{{ messages | length if messages | length > 6 }}", "comes out as"),
        ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "does not come out once"),
        (
            "{% for m in messages %}[{{ m.role }}]{{ m.content | replace('</think>', '') }};{% endfor %}",
            "comes out as",
        ),
        (
            "{% for m in messages %}{{ m.content }}{{ '.' if loop.last else ',' }}{% endfor %}",
            "comes after it",
        ),
        (
            "{% for m in messages | reverse %}[{{ m.role }}]{{ m.content }};{% endfor %}",
            "does not come out once",
        ),
        ("no messages", "does not come out once"),
        ("{{ raise_exception('never') }}", "takes no conversation"),
        ("{% for %}", "line 1"),
        ("{{ messages.__class__.__mro__ }}", "unsafe"),
    ],
)
def test_what_is_no_concatenation_gives_only_the_reason(template: str, reason: str) -> None:
    form = derive(template)
    assert set(form) == {"version", "reason"}
    assert reason in form["reason"]


def test_without_a_template_there_is_no_format() -> None:
    assert chat_format({"tokenizer_config.json": b"{}"}) is None


def test_the_packer_stores_the_format_beside_the_template(tiny: Path) -> None:
    manifest = json.loads((tiny / "flashlm.json").read_text())
    assert "chat_format.json" in [entry["name"] for entry in manifest["files"]]
    form = json.loads((tiny / "chat_format.json").read_text(encoding="utf-8"))
    messages = [{"role": "user", "content": "Hi"}]
    assert write(form, messages) == flashlm.ChatTemplate.open(tiny).render(messages)


@pytest.mark.real
def test_the_real_model_has_a_format(real_gguf: Path) -> None:
    from flashlm.packing.detect import open_source

    form = json.loads(open_source(real_gguf).small_files["chat_format.json"])
    assert form["answer"] == "<|im_start|>assistant\n"
    assert not form["missing"]

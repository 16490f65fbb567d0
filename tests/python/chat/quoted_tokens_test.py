# SPDX-License-Identifier: Apache-2.0
"""A template sees every message as it is, and yet no message's words become control tokens."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest

import flashlm
from theirs import Theirs

SPECIAL = [
    *(
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
    ),
    *("<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>"),
    *("[INST]", "[/INST]", "<s>", "</s>", "<start_of_turn>", "<end_of_turn>", "<bos>"),
]
NAMED = {"bos_token": "<s>", "eos_token": "</s>"}
BEGIN = "<|im_start|>"

# As the families write them, in our own words.
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HEADERS = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
    "message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' %}{% if "
    "loop.index0 == 0 %}"
    "{% set content = '<|begin_of_text|>' + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content ~ eos_token }}{% else %}"
    "{{ '[INST] ' ~ m.content.strip() ~ ' [/INST]' }}{% endif %}{% endfor %}"
)
TURNS = (
    "{%- macro turn(role) -%}<start_of_turn>{{ role }}\n{{ caller() }}<end_of_turn>\n{% endmacro -%}"
    "{% for m in messages %}{% call turn('model' if m.role == 'assistant' else m.role) %}{{ m.content | trim }}"
    "{% endcall %}{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
JOINED = (
    "{% set ns = namespace(lines=[]) %}{% for m in messages %}{% set ns.lines = ns.lines + "
    "['<|im_start|>%s: %s' % (m.role, m.content)] %}{% endfor "
    "%}{{ ns.lines | join('<|im_end|>\n') }}"
    "{{ '{}{tail}'.format('<|im_end|>', tail='<|endoftext|>') }}"
)
BUFFERED = (
    "{% for m in messages %}{% set text %}<|im_start|>{{ m.role | upper }}\n{{ m.content | replace('a', 'b') }}"
    "<|im_end|>{% endset %}{{ text.replace('\n', '<s>\n', 1)[:1000] | trim }}{% endfor %}"
    "{{ [bos_token, eos_token] | join }}{{ '</s>' * 2 }}"
)
ASIDE = [CHATML, HEADERS, INST, TURNS, JOINED, BUFFERED]  # those that look into no content

THOUGHTS = """\
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == 'assistant' %}
        {%- set thought = '' %}
        {%- if message.reasoning_content is string %}
            {%- set thought = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.last and thought %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + thought.strip('\\n') }}
            {{- '\\n</think>\\n\\n' + content }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- for call in message.tool_calls or [] %}
            {{- '\\n<tool_call>\\n' }}{{- call.function | tojson }}{{- '\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif content.startswith('<tool_response>') and content.endswith('</tool_response>') %}
        {{- '<|im_start|>tool\\n' + content[15:-16] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
LOOKING = [
    THOUGHTS,
    (
        "{% for m in messages %}{{ m.content | length }}:{{ m.content[:5] }}|{{ m.content[-4:] }}|{{ m.content[2] }};"
        "{% endfor %}"
    ),
    (
        "{% for m in messages %}{% for c in m.content %}{{ c }}{{ '.' if loop.index is divisibleby 7 }}{% endfor %}"
        "{{ m.content | list | reverse | join }}{% endfor %}"
    ),
    (
        "{% for m in messages %}{{ m.content.partition('<|im_end|>') | join('/') }}"
        "{{ m.content.rsplit('>', 1) | first }}"
        "{{ m.content.splitlines() | join('<s>') }}{{ m.content.split() | last }}{% endfor %}"
    ),
    (
        "{% for m in messages %}{% if m.content.startswith('<|im_') or m.content.endswith('</s>') %}!{% endif %}"
        "{{ m.content == '<|im_end|>' }}{{ m.content < '<|im_start|>' }}{{ m.content.count('<') }}"
        "{{ m.content.find('>') }}{{ m.content.index('') }}"
        "{{ m.content | upper | lower | title | capitalize }}{% endfor %}"
    ),
    (
        "{% for m in messages %}{{ m.content.replace('<think>', '(').replace('</think>', ')') }}"
        "{{ m.content | replace('<|im_end|>', '') }}{{ m.content.removeprefix('<').removesuffix('>') }}"
        "{{ m.content | indent(2) }}{{ m.content | tojson }}{{ '%-5s|%s' % (m.role, m.content) }}"
        "{{ '{0}{1!s:>40}{x}'.format(m.content, m.content, x=m.role) }}{{ '{a}%%'.format_map({'a': m.content}) }}"
        "{{ '%(c)s%%' | format(c=m.content) }}{{ m.content ~ 1 ~ none ~ missing }}{{ m.content * 2 }}{% endfor %}"
    ),
    (
        "{% for m in messages %}{{ m.content.encode is defined }}{{ m.content | wordcount }}"
        "{{ m.content | truncate(12) }}"
        "{{ m.content | center(80) }}{{ m.content | string | safe }}{{ m.content.zfill(9) }}{{ m.content.swapcase() }}"
        "{{ m.content | trim('<>') }}{{ '<s>' in m.content }}{{ m.content is string }}{{ m.content | e }}"
        "{{ messages | map(attribute='content') | join('</s>') }}"
        "{{ messages | groupby('content') | length }}{% endfor %}"
    ),
]
PIECES = [
    *SPECIAL, *("<", ">", "|>", "<|", "im_end", "<|im_", "</", "think>", "end|>", "a", "b", " ", "\n", "\r\n", "\t"),
    *("hello", "\u00fc\u00df", "\U0001f30a", "%s", "{0}", "{{ x }}", "'", '"', "\u2028", "<tool_response>", "5"),
]  # fmt: skip
HARMLESS = ["x", "y z", "\n", "", "word", "\u00fc"]
ROLES = ("system", "user", "assistant")


def talk(chance: random.Random, pieces: list[str]) -> list[dict[str, Any]]:
    """A conversation of contents that are put together from pieces."""
    return [
        {
            "role": chance.choice(ROLES),
            "content": "".join(chance.choices(pieces, k=chance.randrange(1, 9))),
        }
        for _ in range(chance.randrange(1, 4))
    ]


def parts_of(source: str, messages: Any, **options: Any) -> list[tuple[str, bool]]:
    return flashlm.ChatTemplate(source, special_tokens=NAMED).render_parts(
        messages, SPECIAL, **options
    )


def text_of(source: str, messages: Any, **options: Any) -> str:
    return "".join(text for text, _ in parts_of(source, messages, **options))


def control_of(parts: list[tuple[str, bool]]) -> list[str]:
    """The control tokens that the tokenizer would find."""
    pattern = re.compile("|".join(map(re.escape, sorted(SPECIAL, key=len, reverse=True))))
    return [token for text, trusted in parts if trusted for token in pattern.findall(text)]


@pytest.mark.parametrize("source", ASIDE + LOOKING)
def test_the_parts_make_the_text_that_jinja_renders(source: str) -> None:
    chance = random.Random(source)
    template = flashlm.ChatTemplate(source, special_tokens=NAMED)
    for _ in range(150):
        messages = talk(chance, PIECES)
        try:
            expected = template.render(messages)
        except flashlm.ArgumentError as error:  # a list that is empty has no last item, say
            with pytest.raises(flashlm.ArgumentError, match=re.escape(str(error)[-20:])):
                template.render_parts(messages, SPECIAL)
            continue
        assert "".join(text for text, _ in template.render_parts(messages, SPECIAL)) == expected, (
            messages
        )


@pytest.mark.live
@pytest.mark.parametrize("source", ASIDE + LOOKING)
def test_the_parts_make_the_text_that_transformers_renders(
    source: str, need: Callable[[str], Any], theirs: Theirs
) -> None:
    chance = random.Random(source)
    talks = [talk(chance, PIECES) for _ in range(20)]

    def ask() -> list[str | None]:
        need("transformers")
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), **NAMED)

        def prompt(messages: Any) -> Any:
            try:
                return tokenizer.apply_chat_template(
                    messages, chat_template=source, tokenize=False, add_generation_prompt=True
                )
            except Exception:  # noqa: BLE001 - what Jinja refuses; the test above compares that
                return None

        return [prompt(messages) for messages in talks]

    for messages, expected in zip(talks, theirs(ask, given=[source, talks]), strict=True):
        assert expected is None or text_of(source, messages) == expected


@pytest.mark.parametrize("source", ASIDE)
def test_only_what_the_template_says_is_control(source: str) -> None:
    chance = random.Random(source)
    for _ in range(150):
        messages = talk(chance, PIECES)
        honest = [{**message, "content": chance.choice(HARMLESS)} for message in messages]
        assert control_of(parts_of(source, messages)) == control_of(
            [(text_of(source, honest), True)]
        ), messages


def test_a_thought_that_somebody_quotes_leaves_the_prompt_as_in_transformers() -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nHello."},
        {"role": "user", "content": "And <|im_end|>?"},
    ]
    parts = parts_of(THOUGHTS, messages, enable_thinking=False)
    assert "".join(text for text, _ in parts) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n"
        "<|im_start|>user\nAnd "
        "<|im_end|>?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
    assert [text for text, trusted in parts if not trusted] == ["<|im_end|>"]


def test_a_thought_comes_back_between_the_templates_own_tokens() -> None:
    messages = [
        {"role": "assistant", "content": "<think>\nIs </think> a token?\n</think>\n\nYes: <think>"}
    ]
    parts = parts_of(THOUGHTS, messages, add_generation_prompt=False)
    assert "".join(text for text, _ in parts) == (
        "<|im_start|>assistant\n<think>\nIs \n</think>\n\nYes: <think><|im_end|>\n"
    )
    assert control_of(parts) == ["<|im_start|>", "<think>", "</think>", "<|im_end|>"]


def test_a_slice_of_a_quote_shows_the_quote() -> None:
    messages = [{"role": "user", "content": "<|im_end|> and more"}]
    assert (
        text_of("{{ messages[0].content[:4] }}|{{ messages[0].content | length }}", messages)
        == "<|im|19"
    )


def test_a_tool_response_is_cut_out_by_its_length() -> None:
    messages = [{"role": "user", "content": "<tool_response><|im_end|></tool_response>"}]
    parts = parts_of(THOUGHTS, messages, add_generation_prompt=False)
    assert parts == [("<|im_start|>tool\n", True), ("<|im_end|>", False), ("<|im_end|>\n", True)]


@pytest.mark.parametrize(
    ("source", "content"),
    [
        ("{{ messages[0].content.replace('<image>', '') }}", "<|im_<image>end|>"),
        ("{{ messages[0].content.split('|') | join('|') }}", "<|im_end|>"),
        ("{{ messages[0].content | lower }}", "<|IM_END|>x<"),
        ("{{ messages[0].content }}|>", "<|im_end"),
        ("<|im_{{ messages[0].content }}", "end|>"),
        ("{{ '<' ~ messages[0].content }}", "|im_end|>"),
        ("{{ messages[0].content | list | join }}", "<|im_end|>"),
        ("{{ messages[0].content | reverse | reverse }}", "<|im_end|>"),
        ("{{ '%s>' % messages[0].content }}", "<|im_end|"),
        ("{{ messages[0] | tojson }}", "<|im_end|>"),
        ("{{ messages[0].content | trim }}>", "<|im_end|  "),
    ],
)
def test_no_operation_makes_a_control_token_of_somebodys_words(source: str, content: str) -> None:
    messages = [{"role": "user", "content": content}]
    parts = parts_of(source, messages)
    assert control_of(parts) == []
    assert "".join(text for text, _ in parts) == flashlm.ChatTemplate(source).render(messages)


def test_a_role_between_bars_is_the_templates_token() -> None:
    source = "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    template = flashlm.ChatTemplate(source)
    parts = template.render_parts(
        [{"role": "user", "content": "a<|user|>b<|im_end|>"}], ["<|user|>", "<|im_end|>"]
    )
    assert [text for text, trusted in parts if not trusted] == ["<|user|>", "<|im_end|>"]
    assert [text for text, trusted in parts if trusted] == ["<|user|>\na", "b", "<|im_end|>\n"]
    parts = template.render_parts(
        [{"role": "user|><|im_end|><|user", "content": ""}], ["<|user|>", "<|im_end|>"]
    )
    assert [text for text, trusted in parts if trusted] == ["<|", "|>\n<|im_end|>\n"]


def test_a_token_that_nobody_quotes_is_the_templates_whatever_it_does() -> None:
    source = "{{ '<|im_start|>' | center(20) }}{{ messages[0].content }}"
    parts = parts_of(source, [{"role": "user", "content": "<|im_end|>"}])
    assert parts == [("    <|im_start|>    ", True), ("<|im_end|>", False)]


def test_variables_of_the_program_are_the_templates_own() -> None:
    messages = [{"role": "user", "content": "<|im_end|>"}]
    parts = parts_of("{{ messages[0].content }}{{ tail[0] }}", messages, tail=["<|im_end|>"])
    assert parts == [("<|im_end|>", False), ("<|im_end|>", True)]


def test_long_contents_are_rendered_in_time() -> None:
    messages = [{"role": "user", "content": "<|im_end|> word < " * 20_000}]
    parts = parts_of(CHATML, messages)
    assert control_of(parts) == ["<|im_start|>", "<|im_end|>", "<|im_start|>"]
    assert sum(len(text) for text, _ in parts) == len(text_of(CHATML, messages))

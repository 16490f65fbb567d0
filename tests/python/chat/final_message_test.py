# SPDX-License-Identifier: Apache-2.0
"""The last message of a conversation goes on where it ends, as in transformers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import flashlm
from theirs import Theirs

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TRIMMED = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}</s>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
THINKING = (
    "{% for m in messages %}[{{ m.role }}]{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
    "{% endif %}{{ m.content }}</s>{% endfor %}"
)
SPLITTING = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content.split('</think>')[-1] }}</s>{% endfor %}"
)
TWICE = "{% for m in messages %}{{ m.content }}/{{ m.content }};{% endfor %}"
SPECIAL = ["<|im_start|>", "<|im_end|>", "</s>", "<think>", "</think>"]
USER = {"role": "user", "content": "Count."}


def said(content: str, **more: Any) -> list[dict[str, Any]]:
    return [USER, {"role": "assistant", "content": content, **more}]


CASES: list[tuple[str, list[dict[str, Any]], bool | str, str]] = [
    (CHATML, said("One, two,"), True, "<|im_start|>user\nCount.<|im_end|>\n<|im_start|>assistant\nOne, two,"),
    (CHATML, said("One, "), True, "<|im_start|>user\nCount.<|im_end|>\n<|im_start|>assistant\nOne, "),
    (CHATML, said(""), True, "<|im_start|>user\nCount.<|im_end|>\n<|im_start|>assistant\n"),
    (CHATML, [USER], True, "<|im_start|>user\nCount."),
    (TRIMMED, said("  One, \n"), True, "[user]Count.</s>[assistant]One,"),
    (SPLITTING, said("a</think>b"), True, "[user]Count.</s>[assistant]b"),
    (THINKING, said("b", reasoning_content="Hm, "), "reasoning_content", "[user]Count.</s>[assistant]<think>Hm, "),
    (THINKING, said("b", thinking="Hm, "), "thinking", "[user]Count.</s>[assistant]<think>Hm, "),
    (TRIMMED, said("It is </s> <"), True, "[user]Count.</s>[assistant]It is </s> <"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "messages", "wanted", "expected"), CASES)
def test_the_prompt_ends_where_the_last_message_ends(
    source: str, messages: Any, wanted: bool | str, expected: str
) -> None:
    template = flashlm.ChatTemplate(source)
    if source != SPLITTING:  # there, what transformers looks for is not in the text
        assert template.render(messages, continue_final_message=wanted) == expected
        parts = template.render_parts(messages, SPECIAL, continue_final_message=wanted)
        assert "".join(text for text, _ in parts) == expected


@pytest.mark.live
@pytest.mark.parametrize(("source", "messages", "wanted", "expected"), CASES)
def test_transformers_goes_on_at_the_same_place(
    source: str,
    messages: Any,
    wanted: bool | str,
    expected: str,
    *,
    need: Callable[[str], Any],
    theirs: Theirs,
) -> None:
    def ask() -> dict[str, str]:
        need("transformers")
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
        try:
            prompt = tokenizer.apply_chat_template(
                messages, chat_template=source, tokenize=False, continue_final_message=wanted
            )
        except ValueError as error:
            return {"error": str(error)}
        return {"prompt": prompt}

    answer = theirs(ask, given=[source, messages, wanted])
    if "error" in answer:
        assert "does not appear in the chat" in answer["error"]
        with pytest.raises(
            flashlm.ArgumentError, match="expected the template to write the last message as it is"
        ):
            flashlm.ChatTemplate(source).render(messages, continue_final_message=wanted)
    else:
        assert answer["prompt"] == expected


def test_quotes_in_the_last_message_stay_text() -> None:
    parts = flashlm.ChatTemplate(CHATML).render_parts(
        said("<|im_end|>"), SPECIAL, continue_final_message=True
    )
    assert parts == [
        ("<|im_start|>user\nCount.<|im_end|>\n<|im_start|>assistant\n", True),
        ("<|im_end|>", False),
    ]


def test_no_mark_is_left_where_a_template_writes_a_message_twice() -> None:
    text = flashlm.ChatTemplate(TWICE).render(said("One,"), continue_final_message=True)
    assert text == "Count./Count.;One,/One,"
    parts = flashlm.ChatTemplate(TWICE).render_parts(
        said("<think> <"), SPECIAL, continue_final_message=True
    )
    assert re.search("[0-9]", "".join(text for text, _ in parts)) is None


@pytest.mark.parametrize(
    ("source", "messages", "options", "problem"),
    [
        (
            CHATML,
            said("a"),
            {"add_generation_prompt": True},
            "expected no add_generation_prompt beside it, got both",
        ),
        (
            CHATML,
            said("a"),
            {"continue_final_message": "thought"},
            "expected the last message to have a text 'thought'",
        ),
        ("{{ messages[0].content }}", said("a"), {}, r"got a text without it \(template\)"),
    ],
)
def test_what_cannot_go_on_is_refused(
    source: str, messages: Any, options: Any, problem: str
) -> None:
    with pytest.raises(flashlm.ArgumentError, match=problem):
        flashlm.ChatTemplate(source).render(messages, **{"continue_final_message": True, **options})


def test_a_chat_goes_on_with_the_answer(lm: flashlm.LanguageModel) -> None:
    whole = lm.chat([USER], max_new_tokens=8)
    begun = lm.chat([USER], max_new_tokens=3)
    prompt = lm.stream_chat(said(begun), continue_final_message=True).prompt_tokens
    assert lm.tokenizer.decode(prompt) == lm.chat_template.render([USER]) + begun
    assert lm.generate(
        lm.chat_template.render([USER]) + begun, add_special=False, max_new_tokens=5
    ) == lm.chat(said(begun), continue_final_message=True, max_new_tokens=5)
    assert whole.startswith(begun)


def test_messages_that_end_with_the_assistants_get_a_new_answer_and_a_warning(tiny: Any) -> None:
    with flashlm.LanguageModel.from_pretrained(tiny) as lm:
        with pytest.warns(UserWarning, match="continue_final_message=True goes on with it") as told:
            generation = lm.stream_chat(said("One,"), max_new_tokens=1)
        assert [warning.filename for warning in told] == [__file__]
        assert lm.tokenizer.decode(generation.prompt_tokens) == lm.chat_template.render(
            said("One,")
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            lm.chat(said("Two,"), max_new_tokens=1)


def test_a_key_that_is_none_is_not_there() -> None:
    source = "{{ messages[0].tool_calls is defined }}{{ messages[0].content is defined }}"
    messages = [{"role": "user", "content": "a", "tool_calls": None}]
    assert flashlm.ChatTemplate(source).render(messages) == "FalseTrue"


@pytest.mark.parametrize("name", ["reasoning_content", "thinking", "reasoning"])
def test_a_thought_has_the_name_that_the_template_reads(name: str) -> None:
    messages = [{"role": "assistant", "content": "a", name: "Hm."}]
    assert flashlm.ChatTemplate(THINKING).render(messages) == "[assistant]<think>Hm.</think>a</s>"
    assert flashlm.ChatTemplate("{{ messages[0].thinking }}").render(messages) == "Hm."

# SPDX-License-Identifier: Apache-2.0
"""What is asked of a chat model, and what it answers, without the words of any other library."""

from __future__ import annotations

import pytest

import flashlm
from flashlm.chat.request import PlainMessage, Request, split_reasoning

TALK = [{"role": "user", "content": "Hello"}]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("f", "g")
]


def test_a_request_asks_what_stream_chat_asks(lm: flashlm.LanguageModel) -> None:
    text = Request(TALK, max_new_tokens=6).stream(lm).rest()
    assert text == lm.chat(TALK, max_new_tokens=6)


def test_usage_counts_what_was_computed_and_what_was_there(lm: flashlm.LanguageModel) -> None:
    usages = []
    for _ in range(2):
        request = Request(TALK, max_new_tokens=4)
        generation = request.stream(lm)
        usages.append(request.answer(generation.rest(), generation).usage)
    first, second = usages
    assert first.computed_tokens == first.prompt_tokens
    assert first.reused_tokens == 0
    assert second.prompt_tokens == first.prompt_tokens
    assert second.computed_tokens == 1  # the last token's logits are asked for again
    assert first.output_tokens <= 4


@pytest.mark.filterwarnings("ignore:.* the model's template ignores them:UserWarning")
def test_required_is_held_to_a_call(lm: flashlm.LanguageModel) -> None:
    request = Request(TALK, tools=TOOLS, tool_choice="required", max_new_tokens=64, stop=["}"])
    generation = request.stream(lm)
    answer = request.answer(generation.rest(), generation)
    assert [call.name in ("f", "g") for call in answer.calls] == [True]
    assert answer.content == answer.text  # all of it is the call


def test_one_tool_may_be_chosen_by_name() -> None:
    for choice in ("g", {"function": {"name": "g"}}):
        assert Request(TALK, tools=TOOLS, tool_choice=choice).tool_names == ["g"]
    assert Request(TALK, tools=TOOLS, tool_choice="none").tool_names == []
    with pytest.raises(flashlm.ArgumentError, match=r"\[chat\] tool_choice: expected one of f, g"):
        Request(TALK, tools=TOOLS, tool_choice={"function": {"name": "h"}})
    with pytest.raises(flashlm.ArgumentError, match=r"tool_choice: expected 'required'"):
        Request(TALK, tools=TOOLS, tool_choice="perhaps")


def test_results_of_tools_are_cut_to_the_context(lm: flashlm.LanguageModel) -> None:
    said = [PlainMessage("user", "Sum up."), PlainMessage("user", "word " * 400, is_result=True)]
    (message,) = Request(said, max_new_tokens=8).messages(lm)
    assert message["content"].startswith("Sum up.\nword word")
    assert len(message["content"]) < 400
    assert Request(said, max_new_tokens=2).stream(lm).rest() is not None


@pytest.mark.parametrize(
    ("text", "thought", "rest"),
    [
        ("Red.", "", "Red."),
        ("<think>\nBlue?\n</think>\n\nRed.", "Blue?", "Red."),
        ("Blue?</think>Red.", "Blue?", "Red."),  # the template wrote the first mark
        ("<think>Blue", "Blue", ""),
        ("", "", ""),
    ],
)
def test_a_thought_is_told_from_the_answer(text: str, thought: str, rest: str) -> None:
    assert split_reasoning(text) == (thought, rest)

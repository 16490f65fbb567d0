# SPDX-License-Identifier: Apache-2.0
"""request.py: what is asked of a chat model, and what it answers, whoever asks.

A request knows tools, the form of the answer, texts that end it and how tokens are drawn; it cuts
results of tools to what the context holds, and counts what went in and out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from typing_extensions import Unpack

from flashlm._core import ArgumentError, Generation, Tokenizer
from flashlm._engine import checks
from flashlm._engine.checked_calls import checked
from flashlm._engine.generation_options import ChatOptions
from flashlm.chat._fitting import PlainMessage, fitted
from flashlm.chat._template.messages import Message
from flashlm.chat.chat_template import ChatTemplate
from flashlm.chat.tool_calls import ToolCall, call_schema, cut_tool_calls

__all__ = ["Answer", "PlainMessage", "Request", "Usage", "split_reasoning"]

_TOOL_CHOICES = ("required", "auto", "none")
_ANSWER_SHARE = (
    4  # of the context, one part at most is kept free for the answer where results of tools are cut
)
_THOUGHT = re.compile(r"\A\s*(?:<think>)?(.*?)(?:</think>|\Z)\s*", re.DOTALL)


class Speaker(Protocol):
    """Who answers: a ``LanguageModel`` or a ``Session``."""

    @property
    def context(self) -> int:
        """How many tokens fit."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Counts tokens."""

    @property
    def chat_template(self) -> ChatTemplate:
        """Tells what a conversation adds to its texts."""

    def stream_chat(
        self, messages: Sequence[Message], **options: Unpack[ChatOptions]
    ) -> Generation:
        """Answers a conversation piece by piece."""


@dataclass(frozen=True)
class Usage:
    """Tokens of a request and of its answer.

    Attributes:
        prompt_tokens: Of the conversation.
        output_tokens: Of the answer.
        computed_tokens: Those of the prompt that were not there from before.
    """

    prompt_tokens: int
    output_tokens: int
    computed_tokens: int

    @property
    def reused_tokens(self) -> int:
        """Those of the prompt that were there already."""
        return self.prompt_tokens - self.computed_tokens


@dataclass(frozen=True)
class Answer:
    """What a model said to a request.

    Attributes:
        text: All of it.
        content: Without the calls, unless the whole answer had to be a call.
        calls: Of tools, in their order.
        finish_reason: Why it ended, as `Generation.finish_reason`.
        usage: Tokens that went in and out.
    """

    text: str
    content: str
    calls: tuple[ToolCall, ...]
    finish_reason: str | None
    usage: Usage


class Request:
    """A conversation and how it is to be answered.

    Args:
        messages: The oldest first. Of `PlainMessage`s, the results of tools are cut to what fits.
        tools: ``{"type": "function", "function": {"name": ..., "parameters": ...}}`` each.
        tool_choice: ``"auto"``: the model writes what it likes, and calls in it. ``"required"``:
            nothing but a call. ``"none"``; or ``{"function": {"name": ...}}`` or a bare name, of
            the one tool that is to be called.
        several_calls: Under ``"required"``, one answer may hold several calls.
        response_format: As for ``stream_chat``; comes before the form of a call.
        stop: The answer ends before the first of these texts, unless it is held to a form.
        max_new_tokens: It ends after so many.
        sampling: The options of ``generate`` from ``temperature`` to ``seed``.
        template_variables: More names for the model's template.
        name_key: How the model calls the name of a tool in a call.
        arguments_key: How the model calls the arguments.
        on_prefill: Told how many tokens of the prompt are computed, and of how many.
        where: What errors call the place.

    Raises:
        ArgumentError: A choice of a tool that is not there.

    Example:
        >>> from flashlm.chat.request import Request
        >>> request = Request([{"role": "user", "content": "Hello"}], max_new_tokens=4)
        >>> generation = request.stream(lm)
        >>> request.answer(generation.rest(), generation).usage.output_tokens <= 4
        True
    """

    def __init__(
        self,
        messages: Sequence[PlainMessage] | Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        tool_choice: str | Mapping[str, Any] = "auto",
        several_calls: bool = False,
        response_format: Mapping[str, Any] | None = None,
        stop: Sequence[str] = (),
        max_new_tokens: int = 512,
        sampling: Mapping[str, Any] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        name_key: str = "name",
        arguments_key: str = "arguments",
        on_prefill: Callable[[int, int], None] | None = None,
        where: str = "chat",
    ) -> None:
        self._messages = messages
        self._keys = {"name_key": name_key, "arguments_key": arguments_key}
        self._told = on_prefill
        self._computed = 0  # tokens of the prompt; known once it is
        chosen = _chosen(tools, tool_choice, where)
        self.tool_names = [schema["function"]["name"] for schema in chosen]
        self.is_free = tool_choice == "auto"  # to write what it likes, and calls in it
        self.arguments: dict[str, Any] = {
            "max_new_tokens": max_new_tokens,
            "template_variables": dict(template_variables or {}),
            **(sampling or {}),
        }
        if chosen:
            self.arguments["tools"] = chosen
            if response_format is None and not self.is_free:
                schema = call_schema(chosen, several=several_calls, **self._keys)
                wrapped = {"name": "tool_call", "schema": schema}
                response_format = {"type": "json_schema", "json_schema": wrapped}
        if response_format is not None and response_format.get("type") != "text":
            self.arguments["response_format"] = response_format
            stop = ()  # a stop text may stand inside the JSON
        self.arguments["stop"] = list(stop)

    def stream(self, speaker: Speaker) -> Generation:
        """Asks; errors are those of ``stream_chat``."""
        return speaker.stream_chat(
            self.messages(speaker), **self.arguments, on_prefill=self._on_prefill
        )

    def messages(self, speaker: Speaker) -> list[Message]:
        """The conversation as the template takes it.

        Where it is too long, results of tools are cut, with a note.
        """
        plain = [each for each in self._messages if isinstance(each, PlainMessage)]
        if not plain:
            return [each for each in self._messages if not isinstance(each, PlainMessage)]
        variables = self.arguments["template_variables"]
        tools = self.arguments.get("tools")
        tokenizer = speaker.tokenizer

        def count(text: str) -> int:
            return len(tokenizer.encode_parts([(text, False)]))

        def count_prompt(messages: list[dict[str, str]]) -> int:
            parts = speaker.chat_template.render_parts(
                messages, tokenizer.special_tokens, tools=tools, **variables
            )
            return len(tokenizer.encode_parts(parts))

        answer = min(self.arguments["max_new_tokens"], speaker.context // _ANSWER_SHARE)
        return [*fitted(plain, speaker.context - answer, count, count_prompt)]

    def answer(self, text: str, generation: Generation) -> Answer:
        """What the model said.

        Args:
            text: All pieces of the generation.
            generation: As `stream` gave it, at its end.
        """
        calls: list[ToolCall] = []
        content = text
        if self.tool_names:
            calls, rest = cut_tool_calls(text, self.tool_names, **self._keys)
            content = rest if self.is_free else text
        usage = Usage(len(generation.prompt_tokens), len(generation.tokens), self._computed)
        return Answer(text, content, tuple(calls), generation.finish_reason, usage)

    @staticmethod
    def check_tool_choice(choice: Any, where: str = "chat") -> None:
        """Refuses what is no choice, whatever the tools.

        Raises:
            ArgumentError: It is none.
        """
        named = isinstance(choice, Mapping) and isinstance(choice.get("function"), Mapping)
        if not (isinstance(choice, str) and choice in _TOOL_CHOICES) and not named:
            expected = "'required', 'auto', 'none' or {'function': {'name': ...}}"
            checks.refuse(where, "tool_choice", expected, choice)

    def _on_prefill(self, done: int, total: int) -> None:
        """Told how far the prompt is.

        The first total is that of the prompt, later ones are of forced tokens.
        """
        self._computed = self._computed or total
        if self._told is not None:
            self._told(done, total)


@checked("chat")
def split_reasoning(text: str) -> tuple[str, str]:
    """The thought that an answer begins with, and the rest.

    A thought stands in ``<think>``, whose first mark may be the template's and so not in the text.
    An answer that ends within a thought has no rest.

    Args:
        text: The answer.

    Returns:
        The thought and the rest, without blanks between them; no thought where none is marked.

    Example:
        >>> from flashlm.chat.request import split_reasoning
        >>> split_reasoning("<think>Blue.</think> Red.")
        ('Blue.', 'Red.')
    """
    if "</think>" not in text and not text.lstrip().startswith("<think>"):
        return "", text
    found = _THOUGHT.match(text)
    return (found[1].strip(), text[found.end() :]) if found else ("", text)


def _chosen(
    schemas: Sequence[Mapping[str, Any]], choice: Any, where: str
) -> list[Mapping[str, Any]]:
    """The tools that may be called. A tool may also be chosen by its bare name."""
    names = [schema["function"]["name"] for schema in schemas]
    if not (isinstance(choice, str) and choice in names):
        Request.check_tool_choice(choice, where)
    if isinstance(choice, str) and choice == "none":
        return []
    if isinstance(choice, str) and choice in _TOOL_CHOICES:
        return list(schemas)
    name = choice["function"].get("name") if isinstance(choice, Mapping) else choice
    if schemas and name not in names:
        raise ArgumentError(
            f"[{where}] tool_choice: expected one of {', '.join(names)}, got {name!r}."
        )
    return [schema for schema in schemas if schema["function"]["name"] == name]

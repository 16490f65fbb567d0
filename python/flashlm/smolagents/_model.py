# SPDX-License-Identifier: Apache-2.0
"""_model.py: a model from flash for smolagents' agents."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from smolagents import Model
from smolagents.models import (
    ChatMessage,
    ChatMessageStreamDelta,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    ChatMessageToolCallStreamDelta,
    MessageRole,
)
from smolagents.monitoring import TokenUsage

from flashlm._engine import checks
from flashlm._engine.checked_calls import checked
from flashlm.chat.request import Answer, Request
from flashlm.chat.tool_calls import ToolCall, find_tool_calls, may_begin_call
from flashlm.language_model import LanguageModel, Progress
from flashlm.session import Session
from flashlm.smolagents._question import (
    REMOVED,
    check_tool_choice,
    most_tokens,
    request_of,
    sampling_of,
    without_ignored,
)
from flashlm.smolagents._turn import Turn

__all__ = ["FlashModel"]

_WHERE = "smolagents"  # what errors call it

_MAX_NEW_TOKENS = 1024


class FlashModel(Model):  # type: ignore[misc]
    """A model for smolagents' agents that runs from flash in a budget of DRAM.

    What an agent's next step has in common with the last one is not computed again, and the tokens
    that the model wrote stay as they were. Where a conversation is longer than the context, the
    results of tools are cut to what fits, with a note of how much is left out. Thread-safe: threads
    take turns. A stream that a thread leaves unfinished ends when the same thread asks again.

    With tools, the answer is held to a valid call by a grammar (``tool_choice="required"``,
    smolagents' default); with ``"auto"`` the model writes what it likes and calls are found in it,
    in the form of its family. Answers in a ``response_format`` are held to its JSON schema; stop
    texts do not cut them.

    smolagents waits for a tool as long as it takes, and its time limit for code waits for it too: a
    tool that may hang needs a limit of its own, as those of ``paper_tools`` have.

    Args:
        model_id: What ``LanguageModel.from_pretrained`` opens; or an open model, or a session of
            one.
        memory: As for ``LanguageModel.from_pretrained``.
        context: How many tokens fit; by default the model's own number, as far as the budget
            allows.
        threads: How many compute; by default one per core.
        reader: How flash is read: ``"auto"``, ``"threads"`` or ``"uring"``.
        kv_store: A folder where prompts stay computed for later processes; ``True`` for the default
            one.
        max_new_tokens: An answer ends after so many tokens, by default 1024.
        max_tokens: Another name for it.
        tool_choice: ``"required"``, ``"auto"`` or ``"none"``; by default that of each call.
        parallel_tool_calls: Under ``"required"``, one answer may hold several calls.
        template_variables: More names for the model's template, such as ``{"enable_thinking":
            False}``.
        custom_role_conversions: Roles of your own and what the template calls them: system, user or
            assistant.
        tool_name_key: How the model calls the name of a tool in a call.
        tool_arguments_key: How the model calls the arguments.
        progress: Told how far downloading, packing and loading are.
        on_prefill: Told how many tokens of a prompt are computed, and of how many.
        apply_chat_template_kwargs: ``TransformersModel``'s name of ``template_variables``.
        **sampling: The options of ``generate`` from ``temperature`` to ``seed``; and
            ``do_sample=False``, which is temperature 0. As in every model of smolagents, what is
            given here comes before what a call gives, except how many tokens. What only
            ``TransformersModel`` has a use for, such as ``device_map`` and ``torch_dtype``, is
            ignored with a warning.

    Raises:
        ArgumentError: An argument is not known, or lies outside its range.
        Error: As ``LanguageModel.from_pretrained``.

    Example:
        >>> from flashlm.smolagents import FlashModel
        >>> model = FlashModel("tiny.flash", max_new_tokens=8)
        >>> message = model.generate([{"role": "user", "content": "Hello"}])
        >>> message.token_usage.output_tokens <= 8
        True
        >>> model.close()
    """

    def __init__(
        self,
        model_id: str | os.PathLike[str] | LanguageModel | Session,
        *,
        memory: str | int = "auto",
        context: int | None = None,
        threads: int | None = None,
        reader: str = "auto",
        kv_store: str | os.PathLike[str] | bool | None = None,
        max_new_tokens: int | None = None,
        max_tokens: int | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        template_variables: Mapping[str, Any] | None = None,
        custom_role_conversions: Mapping[str, str] | None = None,
        tool_name_key: str = "name",
        tool_arguments_key: str = "arguments",
        progress: Progress | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        apply_chat_template_kwargs: Mapping[str, Any] | None = None,
        **sampling: Any,
    ) -> None:
        given = {
            "max_new_tokens": max_new_tokens,
            "max_tokens": max_tokens,
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
        }
        settings = {name: value for name, value in given.items() if value is not None}
        if not settings.keys() & {"max_new_tokens", "max_tokens"}:
            settings["max_new_tokens"] = _MAX_NEW_TOKENS
        check_tool_choice(settings.get("tool_choice", "auto"))
        most_tokens(settings, {})  # refuses what is no number
        sampling = without_ignored(sampling)
        sampling_of(sampling)  # refuses what is not known
        settings.update(sampling)
        self.template_variables = {
            **checks.mapping(template_variables, "template_variables", where=_WHERE),
            **checks.mapping(
                apply_chat_template_kwargs, "apply_chat_template_kwargs", where=_WHERE
            ),
        }
        if not isinstance(custom_role_conversions, (Mapping, type(None))):
            checks.refuse(
                _WHERE, "custom_role_conversions", "a mapping of roles", custom_role_conversions
            )
        self.custom_role_conversions = dict(custom_role_conversions or {})
        tool_name_key = checks.text(tool_name_key, "tool_name_key", where=_WHERE)
        tool_arguments_key = checks.text(tool_arguments_key, "tool_arguments_key", where=_WHERE)
        self.told = checks.callback(on_prefill, "on_prefill", where=_WHERE)
        opened = isinstance(model_id, (LanguageModel, Session))
        super().__init__(
            flatten_messages_as_text=True,
            tool_name_key=tool_name_key,
            tool_arguments_key=tool_arguments_key,
            model_id=str(_folder_of(model_id))
            if isinstance(model_id, (LanguageModel, Session))
            else os.fspath(checks.location(model_id, "model_id", where=_WHERE)),
            **settings,
        )
        if isinstance(model_id, (LanguageModel, Session)):
            self._speaker: LanguageModel | Session = model_id
        else:
            self._speaker = _open(
                model_id, memory=memory, context=context, threads=threads, reader=reader,
                kv_store=kv_store,
                progress=progress,
            )  # fmt: skip
        self._owns = not opened
        self._opening = {"memory": memory, "context": context, "threads": threads, "reader": reader}
        if kv_store is not None and not isinstance(kv_store, bool):
            kv_store = os.fspath(checks.location(kv_store, "kv_store", where=_WHERE))
        self._opening["kv_store"] = kv_store
        self._turn = Turn()
        self._ids = itertools.count()

    @property
    def language_model(self) -> LanguageModel | Session:
        """What answers: the model, or the session that was given.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> FlashModel(lm).language_model is lm
            True
        """
        return self._speaker

    @property
    def supports_stop_parameter(self) -> bool:
        """Always: stop texts work whatever the model is called.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> FlashModel(lm).supports_stop_parameter
            True
        """
        return True

    @checked("smolagents")
    def generate(
        self,
        messages: Sequence[Any],
        stop_sequences: Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools_to_call_from: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        """Answers a conversation.

        Args:
            messages: smolagents' ``ChatMessage`` objects, or mappings with ``role`` and
                ``content``.
            stop_sequences: The answer ends before the first of these texts.
            response_format: ``{"type": "json_object"}``, or ``{"type": "json_schema",
                "json_schema": {"schema": {}}}`` with a schema.
            tools_to_call_from: Tools that the answer may call.
            **kwargs: Settings of the model for this answer only, such as ``max_new_tokens`` or
                ``tool_choice``.

        Returns:
            The answer: its text, its tool calls, and how many tokens went in and out. ``raw`` tells
            how many tokens of the prompt were computed, and how many were there already.

        Raises:
            ArgumentError: A message or a setting cannot be used.
            ShapeError: The conversation is longer than the context although the results of tools
                are cut.
            FormatError: A schema that cannot be used.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> messages = [{"role": "user", "content": "Hello"}]
            >>> message = FlashModel(lm).generate(messages, max_new_tokens=4)
            >>> message.role.value
            'assistant'
        """
        asked = request_of(
            self,
            messages=messages,
            stop_sequences=stop_sequences,
            response_format=response_format,
            tools=tools_to_call_from,
            kwargs=kwargs,
        )
        with self._turn.taken() as turn:
            generation = asked.stream(self._speaker)
            turn.generation = generation
            text = "".join(generation)
        answer = asked.answer(text, generation)
        return ChatMessage(
            role=MessageRole.ASSISTANT,
            content=answer.content,
            tool_calls=self._numbered(answer.calls) or None,
            raw={
                "out": text,
                "completion_kwargs": _shown(asked),
                "finish_reason": answer.finish_reason,
                "reused_tokens": answer.usage.reused_tokens,
                "computed_tokens": answer.usage.computed_tokens,
            },
            token_usage=_usage(answer),
        )

    @checked("smolagents")
    def generate_stream(
        self,
        messages: Sequence[Any],
        stop_sequences: Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools_to_call_from: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> Generator[ChatMessageStreamDelta, None, None]:
        """Answers a conversation piece by piece; arguments and errors are those of ``generate``.

        Yields:
            Pieces of the text, then the tool calls, and last the tokens that went in and out.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> messages = [{"role": "user", "content": "Hello"}]
            >>> deltas = list(FlashModel(lm).generate_stream(messages, max_new_tokens=4))
            >>> deltas[-1].token_usage.output_tokens <= 4
            True
        """
        asked = request_of(
            self,
            messages=messages,
            stop_sequences=stop_sequences,
            response_format=response_format,
            tools=tools_to_call_from,
            kwargs=kwargs,
        )
        text = ""
        shown = 0
        with self._turn.taken() as turn:
            generation = asked.stream(self._speaker)
            turn.generation = generation
            for piece in generation:
                text += piece
                end = may_begin_call(text) if asked.is_free and asked.tool_names else len(text)
                if end > shown:
                    yield ChatMessageStreamDelta(content=text[shown:end])
                    shown = end
        answer = asked.answer(text, generation)
        content, calls = answer.content, self._numbered(answer.calls, as_text=True)
        rest = content[shown:]
        if calls:
            begun = text[:shown].lstrip()
            rest = content.removeprefix(begun if content.startswith(begun) else begun.rstrip())
        if rest.strip():
            yield ChatMessageStreamDelta(content=rest)
        for index, call in enumerate(calls):
            yield ChatMessageStreamDelta(
                tool_calls=[
                    ChatMessageToolCallStreamDelta(
                        index=index, id=call.id, type=call.type, function=call.function
                    )
                ]
            )
        # One last delta with all of the usage: smolagents adds them up, and its planning looks at
        # texts only.
        yield ChatMessageStreamDelta(content="", token_usage=_usage(answer))

    @checked("smolagents")
    def parse_tool_calls(self, message: ChatMessage) -> ChatMessage:
        """Fills in the calls that a message's text holds.

        Where there are none, it is smolagents' own reading.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> from smolagents.models import ChatMessage, MessageRole
            >>> text = '{"name": "f", "arguments": {}} {"name": "g", "arguments": {}}'
            >>> message = FlashModel(lm).parse_tool_calls(ChatMessage(MessageRole.ASSISTANT, text))
            >>> [call.function.name for call in message.tool_calls]
            ['f', 'g']
        """
        if not message.tool_calls and isinstance(message.content, str):
            message.tool_calls = self._numbered(self._find(message.content, ())) or None
        return super().parse_tool_calls(message)

    def to_dict(self) -> dict[str, Any]:
        """The arguments that make this model again, as JSON data; callbacks are left out.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> again = FlashModel.from_dict(FlashModel(lm, max_new_tokens=5).to_dict())
            >>> again.kwargs["max_new_tokens"]
            5
            >>> again.close()
        """
        opening = dict(self._opening)
        if not self._owns:
            lm = self._speaker if isinstance(self._speaker, LanguageModel) else self._speaker.model
            opening = {**opening, "memory": lm.memory_plan.budget, "context": lm.context}
        return {
            "model_id": self.model_id,
            **opening,
            "tool_name_key": self.tool_name_key,
            "tool_arguments_key": self.tool_arguments_key,
            "template_variables": self.template_variables,
            "custom_role_conversions": self.custom_role_conversions,
            **{name: value for name, value in self.kwargs.items() if value is not REMOVED},
        }

    @classmethod
    @checked("smolagents")
    def from_dict(cls, model_dictionary: Mapping[str, Any]) -> FlashModel:
        """The model that ``to_dict`` described.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> model = FlashModel.from_dict({"model_id": "tiny.flash", "context": 64})
            >>> model.language_model.context
            64
        """
        if "model_id" not in model_dictionary:
            checks.refuse(_WHERE, "model_dictionary", "a mapping with 'model_id'", model_dictionary)
        return cls(**dict(model_dictionary))

    def close(self) -> None:
        """Gives the memory back of a model that was opened here; one that was given stays open.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> FlashModel("tiny.flash").close()
        """
        if self._owns:
            self._speaker.close()

    def _find(self, text: str, tools: Sequence[str]) -> list[ToolCall]:
        return find_tool_calls(
            text, tools, name_key=self.tool_name_key, arguments_key=self.tool_arguments_key
        )

    def _numbered(
        self, calls: Sequence[ToolCall], *, as_text: bool = False
    ) -> list[ChatMessageToolCall]:
        """With ids that no other call of this model has; agents sort by them."""
        import json

        return [
            ChatMessageToolCall(
                id=f"call_{next(self._ids):06d}",
                type="function",
                function=ChatMessageToolCallFunction(
                    name=call.name,
                    arguments=json.dumps(call.arguments, ensure_ascii=False)
                    if as_text
                    else call.arguments,
                ),
            )
            for call in calls
        ]


def _usage(answer: Answer) -> TokenUsage:
    return TokenUsage(
        input_tokens=answer.usage.prompt_tokens, output_tokens=answer.usage.output_tokens
    )


def _shown(asked: Request) -> dict[str, Any]:
    """What was asked for, but for what is long."""
    long = ("tools", "response_format")
    return {name: value for name, value in asked.arguments.items() if name not in long}


def _folder_of(speaker: LanguageModel | Session) -> os.PathLike[str]:
    return speaker.folder if isinstance(speaker, LanguageModel) else speaker.model.folder


def _open(
    source: str | os.PathLike[str],
    *,
    memory: str | int,
    context: int | None,
    progress: Progress | None,
    **more: Any,
) -> LanguageModel:
    from flashlm.home import packed
    from flashlm.planning import largest_context

    folder = packed(source, progress=progress)
    if context is None:
        context = largest_context(folder, memory)
    more = {key: value for key, value in more.items() if value is not None}
    return LanguageModel.from_pretrained(
        folder, memory=memory, context=context, progress=progress, **more
    )

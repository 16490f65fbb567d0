# SPDX-License-Identifier: Apache-2.0
"""_agent_model.py: what the engine's agent asks.

A model, a session, or a function that stands for one.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Mapping
from typing import Any

from flashlm._core import ArgumentError
from flashlm._engine import checks
from flashlm._speaker import Speaker
from flashlm.chat._template.messages import Message

ChatFunction = Callable[[list[Message], str], str]
"""Stands for a model: messages and a JSON schema (or "") in, the answer out."""

_FUNCTION_CONTEXT = 1 << 20  # tokens that a function in a model's place is taken to read
_BYTES_PER_TOKEN = 4  # of its texts, about


class AgentModel(typing.Protocol):
    """What the engine's agent needs of a model."""

    @property
    def context(self) -> int:
        """Tokens that it reads at most."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a text."""
        ...

    def answer(
        self,
        messages: list[tuple[str, str]],
        schema: str,
        stop: list[str],
        on_piece: Callable[[str], bool],
        on_prefill: Callable[[int, int], bool],
    ) -> str:
        """The model's text, also piece by piece, until `on_piece` or `on_prefill` is False."""
        ...


class _StoppedError(Exception):
    """The engine's agent wants the prompt no longer."""


class SpeakerModel:
    """A model or a session."""

    def __init__(self, speaker: Speaker, max_new_tokens: int, sampling: Mapping[str, Any]) -> None:
        self._speaker = speaker
        self._options = {"max_new_tokens": max_new_tokens, **sampling}

    @property
    def context(self) -> int:
        """Tokens that it reads at most."""
        return self._speaker.context

    def count_tokens(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._speaker.tokenizer.encode(text, parse_special=False, add_special=False))

    def answer(
        self,
        messages: list[tuple[str, str]],
        schema: str,
        stop: list[str],
        on_piece: Callable[[str], bool],
        on_prefill: Callable[[int, int], bool],
    ) -> str:
        """As `AgentModel.answer`."""

        def prefill(done: int, total: int) -> None:
            if not on_prefill(done, total):
                raise _StoppedError

        form = (
            {"type": "json_schema", "json_schema": {"name": "call", "schema": json.loads(schema)}}
            if schema
            else None
        )
        talk = [{"role": role, "content": content} for role, content in messages]
        generation = self._speaker.stream_chat(
            talk, response_format=form, stop=stop, on_prefill=prefill, **self._options
        )
        text = ""
        try:
            for piece in generation:
                text += piece
                if not on_piece(piece):
                    generation.close()
        except _StoppedError:
            generation.close()
        return text


class FunctionModel:
    """A function in a model's place."""

    context = _FUNCTION_CONTEXT

    def __init__(self, function: ChatFunction) -> None:
        if not callable(function):
            raise ArgumentError(
                f"[agent] model: expected a model, a session or a function, got "
                f"{type(function).__name__}."
            )
        self._function = function

    def count_tokens(self, text: str) -> int:
        """Tokens of a text."""
        return -(-len(text.encode(errors="replace")) // _BYTES_PER_TOKEN)

    def answer(
        self,
        messages: list[tuple[str, str]],
        schema: str,
        stop: list[str],
        on_piece: Callable[[str], bool],
        on_prefill: Callable[[int, int], bool],
    ) -> str:
        """As `AgentModel.answer`."""
        del on_prefill
        text = self._function(
            [{"role": role, "content": content} for role, content in messages], schema
        )
        if not isinstance(text, str):
            checks.refuse("agent", "model", "a text from the function", text)
        text = checks.valid(text)
        for end in stop:
            text = text.split(end)[0]
        on_piece(text)
        return text

# SPDX-License-Identifier: Apache-2.0
"""scripted_model.py: a model that says what a test wrote down, for the logic around models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from typing_extensions import Self

import flashlm


class ScriptedGeneration:
    """As `flashlm.Generation`: pieces of an answer."""

    def __init__(
        self, prompt: list[int], tokens: list[int], text: str, stop: Sequence[str]
    ) -> None:
        self.prompt_tokens = prompt
        self.tokens = tokens
        self.finish_reason: str | None = None
        ends = [at for at in (text.find(each) for each in stop) if at >= 0]
        self._text = text[: min(ends)] if ends else text
        self._reason = "stop" if ends else "eos"
        self._pieces = iter([self._text[at : at + 7] for at in range(0, len(self._text), 7)])

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            return next(self._pieces)
        except StopIteration:
            self.finish_reason = self.finish_reason or self._reason
            raise

    def close(self) -> None:
        self.finish_reason = self.finish_reason or "closed"
        self._pieces = iter(())


class ScriptedSession(flashlm.Session):
    """A session of a real (tiny) model whose answers are written down; keeps what it was asked."""

    def __init__(
        self, lm: flashlm.LanguageModel, answers: Sequence[str | Callable[[Any], str]]
    ) -> None:
        super().__init__(lm, lm.session()._native)
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.context_size = 100_000

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """As a model is closed."""

    @property
    def context(self) -> int:
        return self.context_size

    def stream_chat(self, messages: Any, **settings: Any) -> Any:
        self.asked.append({"messages": messages, **settings})
        parts = self.chat_template.render_parts(
            messages, self.tokenizer.special_tokens, tools=settings.get("tools")
        )
        prompt = self.tokenizer.encode_parts(parts)
        if len(prompt) + 1 > self.context:
            raise flashlm.ShapeError(
                f"[session] prompt: expected at most {self.context} tokens, got {len(prompt)}."
            )
        answer = self.answers.pop(0)
        text = answer if isinstance(answer, str) else answer(messages)
        return ScriptedGeneration(
            prompt, self.tokenizer.encode(text), text, settings.get("stop", ())
        )


def call(name: str, **arguments: Any) -> str:
    """A tool call as JSON."""
    return json.dumps({"name": name, "arguments": arguments})

# SPDX-License-Identifier: Apache-2.0
"""_speaker.py: what models and sessions have in common: they continue texts and answer messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import Unpack

from flashlm import _core
from flashlm._core import Generation, Tokenizer
from flashlm._engine import checks
from flashlm._engine.generation_options import (
    CHAT_DEFAULTS,
    TEXT_DEFAULTS,
    ChatOptions,
    TextOptions,
    checked_common,
    complete,
    takes,
)
from flashlm.chat._response_format import grammar_of_format, grammar_of_schema
from flashlm.chat.kept_tokens import keep_tokens

if TYPE_CHECKING:
    from flashlm.chat._template.messages import Message
    from flashlm.chat.chat_template import ChatTemplate

_WHERE = "language_model"  # what errors call it
_NEW_TURN = (
    "[language_model] messages: the last one is the assistant's, and another answer begins behind "
    "it. "
    "continue_final_message=True goes on with it."
)


class Speaker(ABC):
    """What a model and a session have in common: they continue texts and answer messages."""

    @property
    @abstractmethod
    def _native(self) -> _core.LanguageModel | _core.Session:
        """The engine's object; raises Error after close()."""

    @property
    @abstractmethod
    def chat_template(self) -> ChatTemplate:
        """The model's chat template, read when it is first used.

        Raises FormatError where there is none.
        """

    @property
    @abstractmethod
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""

    @property
    @abstractmethod
    def context(self) -> int:
        """How many tokens fit."""

    def _turn_ends(self) -> list[str]:
        """Control tokens that end a turn although the folder does not say so.

        An older version has packed it.
        """
        return []

    @takes(TextOptions, TEXT_DEFAULTS)
    def stream(self, prompt: str, **options: Unpack[TextOptions]) -> Generation:
        """Continues a text, piece by piece.

        Args:
            prompt: The text to continue. What it shares with the text so far is not computed again.
            max_new_tokens: Ends after so many tokens.
            temperature: 0 takes the likeliest token; more than 0 draws, the flatter the higher.
            top_k: Draws from the likeliest k tokens only; 0 for all.
            top_p: Draws from the likeliest tokens that together have this probability.
            min_p: Draws from the tokens with at least this share of the likeliest one's
                probability.
            repetition_penalty: Above 1 makes tokens of the text so far less likely.
            seed: The same seed draws the same tokens. None takes another each time, which
                `Generation.seed` tells.
            stop: Ends before the first of these texts. One text alone is a list of one.
            parse_special: Reads special tokens in the prompt, such as ``<|im_end|>``, as such.
            add_special: Adds the tokens that the tokenizer puts around a text.
            on_prefill: Told after each batch of the prompt how many of its tokens are computed, and
                of how many.
            json_schema: The text is JSON that this schema allows, whatever the model. Say in the
                prompt what is wanted too. Near ``max_new_tokens`` the shortest end is taken.

        Several texts may be pulled from one session by turns: each is what it would be alone. One
        that another has interrupted computes again what the two do not share; with a ``session``
        each, nothing is computed twice.

        Returns:
            An iterator of pieces of text, each of whole characters; ``close()`` ends it early,
            ``rest()`` is all of it.

        Raises:
            ArgumentError: An argument lies outside its range, or ``max_new_tokens`` is too few for
                the schema.
            FormatError: The schema has a keyword that is not supported, or no text meets it.
            ShapeError: The prompt is empty, or longer than the context.
            IoError: The model could not be read. The session can be used again.

        Example:
            >>> pieces = list(lm.stream("Once upon a time", max_new_tokens=8))
            >>> "".join(pieces) == lm.generate("Once upon a time", max_new_tokens=8)
            True
        """
        return self._native.stream(_text(prompt), **_text_options(options, "stream"))

    @takes(TextOptions, TEXT_DEFAULTS)
    def generate(self, prompt: str, **options: Unpack[TextOptions]) -> str:
        """Continues a text; arguments and errors are those of ``stream``.

        Returns:
            The new text, without the prompt and without the stop text.

        Example:
            >>> text = lm.generate("The moon is", max_new_tokens=8)
            >>> text == lm.generate("The moon is", max_new_tokens=8)
            True
        """
        return self._native.generate(_text(prompt), **_text_options(options, "generate"))

    @takes(ChatOptions, CHAT_DEFAULTS)
    def stream_chat(
        self, messages: Sequence[Message], **options: Unpack[ChatOptions]
    ) -> Generation:
        """Answers a conversation, piece by piece.

        The other arguments and errors are those of ``stream``.

        Special tokens that the messages, tools or documents quote stay text: ``<|im_end|>`` in a
        message ends no turn.

        Args:
            messages: ``{"role": "user", "content": "Hello"}`` and so on, the oldest first.
            tools: JSON schemas of functions the model may call; the answer holds the calls as the
                model writes them.
            documents: What the model may quote: mappings with ``title`` and ``text``.
            response_format: ``{"type": "json_object"}``, ``{"type": "json_object", "schema": {}}``
                or ``{"type": "json_schema", "json_schema": {"schema": {}}}``: the answer is JSON of
                that form, whatever the model. Say in a message what is wanted too.
            template_variables: More names for the model's template, such as ``{"enable_thinking":
                False}``.
            continue_final_message: Goes on with the last message instead of answering it; only what
                is new is returned. Without it, messages that end with the assistant's get a new
                answer, with a warning.
            max_new_tokens: As in ``stream``, like all that follow in the signature.

        Returns:
            An iterator of pieces of text; ``close()`` ends it early.

        Raises:
            FormatError: The model has no chat template, or the schema has a keyword that is not
                supported.
            ArgumentError: The response format is of an unknown form.

        Example:
            >>> messages = [{"role": "user", "content": "Hello"}]
            >>> answer = lm.chat(messages, max_new_tokens=8)
            >>> "".join(lm.stream_chat(messages, max_new_tokens=8)) == answer
            True
        """
        given = complete(options, CHAT_DEFAULTS, "stream_chat")
        common = checked_common(given)
        goes_on = given["continue_final_message"]
        grammar = grammar_of_format(given["response_format"])
        parts = self.chat_template.render_parts(
            messages,
            self.tokenizer.special_tokens,
            tools=given["tools"],
            documents=given["documents"],
            continue_final_message=goes_on,
            **checks.mapping(given["template_variables"], "template_variables", where=_WHERE),
        )
        if not goes_on and messages[-1].get("role") == "assistant":
            self.chat_template._tell_once("assistant", _NEW_TURN)  # noqa: SLF001 - once for a model and its sessions
        if grammar is None:
            common["stop"] += self._turn_ends()
        prompt = keep_tokens(
            self._native.tokens, self.tokenizer.encode_parts(parts), self.tokenizer
        )
        return self._native.stream(prompt, **common, grammar=grammar)

    @takes(ChatOptions, CHAT_DEFAULTS)
    def chat(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> str:
        """Answers a conversation; arguments and errors are those of ``stream_chat``.

        Returns:
            The answer.

        Example:
            >>> answer = lm.chat([{"role": "user", "content": "Name a colour."}], max_new_tokens=8)
            >>> isinstance(answer, str)
            True
        """
        return self.stream_chat(messages, **complete(options, CHAT_DEFAULTS, "chat")).rest()


def _text(prompt: object) -> str:
    return checks.text(prompt, "prompt", where=_WHERE)


def _text_options(options: TextOptions, function: str) -> dict[str, Any]:
    """What the engine takes for a text."""
    given = complete(options, TEXT_DEFAULTS, function)
    schema = given["json_schema"]
    return {
        **checked_common(given),
        **{
            name: checks.flag(given[name], name, where=_WHERE)
            for name in ("parse_special", "add_special")
        },
        "grammar": None if schema is None else grammar_of_schema(schema),
    }

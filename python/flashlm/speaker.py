# SPDX-License-Identifier: Apache-2.0
"""speaker.py: what models and sessions have in common: they continue texts and answer messages."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flashlm import _core, _values
from flashlm._core import Generation, Tokenizer
from flashlm._values import MOST_32_BITS, MOST_64_BITS, MOST_UNSIGNED
from flashlm.kept_tokens import keep_tokens
from flashlm.response_format import JsonSchema, grammar_of_format, grammar_of_schema

if TYPE_CHECKING:
    from flashlm.chat_template import ChatTemplate
    from flashlm.messages import Message

_WHERE = "language_model"  # what errors call it
_NEW_TURN = (
    "[language_model] messages: the last one is the assistant's, and another answer begins behind it. "
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
        """The model's chat template, read when it is first used. Raises FormatError where there is none."""

    @property
    @abstractmethod
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""

    @property
    @abstractmethod
    def context(self) -> int:
        """How many tokens fit."""

    def _turn_ends(self) -> list[str]:
        """Control tokens that end a turn although the folder does not say so: an older version has packed it."""
        return []

    def stream(
        self,
        prompt: str,
        *,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int | None = 0,
        stop: str | Sequence[str] | None = (),
        parse_special: bool = True,
        add_special: bool = True,
        on_prefill: Callable[[int, int], None] | None = None,
        json_schema: JsonSchema | None = None,
    ) -> Generation:
        """Continues a text, piece by piece.

        Args:
            prompt: The text to continue. What it shares with the text so far is not computed again.
            max_new_tokens: Ends after so many tokens.
            temperature: 0 takes the likeliest token; more than 0 draws, the flatter the higher.
            top_k: Draws from the likeliest k tokens only; 0 for all.
            top_p: Draws from the likeliest tokens that together have this probability.
            min_p: Draws from the tokens with at least this share of the likeliest one's probability.
            repetition_penalty: Above 1 makes tokens of the text so far less likely.
            seed: The same seed draws the same tokens; None takes another each time, which `Generation.seed` tells.
            stop: Ends before the first of these texts; one text alone is a list of one.
            parse_special: Reads special tokens in the prompt, such as ``<|im_end|>``, as such.
            add_special: Adds the tokens that the tokenizer puts around a text.
            on_prefill: Told after each batch of the prompt how many of its tokens are computed, and of how many.
            json_schema: The text is JSON that this schema allows, whatever the model. Say in the prompt what is wanted
                too. Near ``max_new_tokens`` the shortest end is taken.

        Several texts may be pulled from one session by turns: each is what it would be alone. One that another has
        interrupted computes again what the two do not share; with a ``session`` each, nothing is computed twice.

        Returns:
            An iterator of pieces of text, each of whole characters; ``close()`` ends it early, ``rest()`` is all of it.

        Raises:
            ArgumentError: An argument lies outside its range, or ``max_new_tokens`` is too few for the schema.
            FormatError: The schema has a keyword that is not supported, or no text meets it.
            ShapeError: The prompt is empty, or longer than the context.
            IoError: The model could not be read. The session can be used again.

        Example:
            >>> pieces = list(lm.stream("Once upon a time", max_new_tokens=8))
            >>> "".join(pieces) == lm.generate("Once upon a time", max_new_tokens=8)
            True
        """
        return self._native.stream(
            _values.text(prompt, "prompt", where=_WHERE),
            **_options(
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                min_p=min_p,
                repetition_penalty=repetition_penalty,
                seed=seed,
                stop=stop,
                on_prefill=on_prefill,
            ),
            parse_special=_values.flag(parse_special, "parse_special", where=_WHERE),
            add_special=_values.flag(add_special, "add_special", where=_WHERE),
            grammar=None if json_schema is None else grammar_of_schema(json_schema),
        )

    def generate(
        self,
        prompt: str,
        *,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int | None = 0,
        stop: str | Sequence[str] | None = (),
        parse_special: bool = True,
        add_special: bool = True,
        on_prefill: Callable[[int, int], None] | None = None,
        json_schema: JsonSchema | None = None,
    ) -> str:
        """Continues a text; arguments and errors are those of ``stream``.

        Returns:
            The new text, without the prompt and without the stop text.

        Example:
            >>> text = lm.generate("The moon is", max_new_tokens=8)
            >>> text == lm.generate("The moon is", max_new_tokens=8)
            True
        """
        return self._native.generate(
            _values.text(prompt, "prompt", where=_WHERE),
            **_options(
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                min_p=min_p,
                repetition_penalty=repetition_penalty,
                seed=seed,
                stop=stop,
                on_prefill=on_prefill,
            ),
            parse_special=_values.flag(parse_special, "parse_special", where=_WHERE),
            add_special=_values.flag(add_special, "add_special", where=_WHERE),
            grammar=None if json_schema is None else grammar_of_schema(json_schema),
        )

    def stream_chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        response_format: Mapping[str, Any] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        continue_final_message: bool = False,
        max_new_tokens: int = 512,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int | None = 0,
        stop: str | Sequence[str] | None = (),
        on_prefill: Callable[[int, int], None] | None = None,
    ) -> Generation:
        """Answers a conversation, piece by piece; the other arguments and errors are those of ``stream``.

        Special tokens that the messages, tools or documents quote stay text: ``<|im_end|>`` in a message ends no turn.

        Args:
            messages: ``{"role": "user", "content": "Hello"}`` and so on, the oldest first.
            tools: JSON schemas of functions the model may call; the answer holds the calls as the model writes them.
            documents: What the model may quote: mappings with ``title`` and ``text``.
            response_format: ``{"type": "json_object"}``, ``{"type": "json_object", "schema": {}}`` or
                ``{"type": "json_schema", "json_schema": {"schema": {}}}``: the answer is JSON of that form, whatever
                the model. Say in a message what is wanted too.
            template_variables: More names for the model's template, such as ``{"enable_thinking": False}``.
            continue_final_message: Goes on with the last message instead of answering it; only what is new is
                returned. Without it, messages that end with the assistant's get a new answer, with a warning.
            max_new_tokens: Ends after so many tokens.
            temperature: As in ``stream``.
            top_k: As in ``stream``.
            top_p: As in ``stream``.
            min_p: As in ``stream``.
            repetition_penalty: As in ``stream``.
            seed: As in ``stream``.
            stop: As in ``stream``.
            on_prefill: As in ``stream``.

        Returns:
            An iterator of pieces of text; ``close()`` ends it early.

        Raises:
            FormatError: The model has no chat template, or the schema has a keyword that is not supported.
            ArgumentError: The response format is of an unknown form.

        Example:
            >>> messages = [{"role": "user", "content": "Hello"}]
            >>> "".join(lm.stream_chat(messages, max_new_tokens=8)) == lm.chat(messages, max_new_tokens=8)
            True
        """
        options = _options(
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
            stop=stop,
            on_prefill=on_prefill,
        )
        grammar = grammar_of_format(response_format)
        parts = self.chat_template.render_parts(
            messages,
            self.tokenizer.special_tokens,
            tools=tools,
            documents=documents,
            continue_final_message=continue_final_message,
            **_values.mapping(template_variables, "template_variables", where=_WHERE),
        )
        if not continue_final_message and messages[-1].get("role") == "assistant":
            self.chat_template._tell_once("assistant", _NEW_TURN)  # noqa: SLF001 - once for a model and its sessions
        if grammar is None:
            options["stop"] += self._turn_ends()
        prompt = keep_tokens(self._native.tokens, self.tokenizer.encode_parts(parts), self.tokenizer)
        return self._native.stream(prompt, **options, grammar=grammar)

    def chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        response_format: Mapping[str, Any] | None = None,
        template_variables: Mapping[str, Any] | None = None,
        continue_final_message: bool = False,
        max_new_tokens: int = 512,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int | None = 0,
        stop: str | Sequence[str] | None = (),
        on_prefill: Callable[[int, int], None] | None = None,
    ) -> str:
        """Answers a conversation; arguments and errors are those of ``stream_chat``.

        Returns:
            The answer.

        Example:
            >>> answer = lm.chat([{"role": "user", "content": "Name a colour."}], max_new_tokens=8)
            >>> isinstance(answer, str)
            True
        """
        return self.stream_chat(
            messages,
            tools=tools,
            documents=documents,
            response_format=response_format,
            template_variables=template_variables,
            continue_final_message=continue_final_message,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
            stop=stop,
            on_prefill=on_prefill,
        ).rest()


def _options(
    *,
    max_new_tokens: int,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    repetition_penalty: float,
    seed: int | None,
    stop: str | Sequence[str] | None,
    on_prefill: Callable[[int, int], None] | None,
) -> dict[str, Any]:
    """What `generate`, `stream` and `chat` have in common, checked; ranges of fractions are the sampler's to check."""
    fractions = {
        "temperature": temperature,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
    }
    return {
        "max_new_tokens": _values.whole(max_new_tokens, "max_new_tokens", where=_WHERE, least=0, most=MOST_64_BITS),
        "top_k": _values.whole(top_k, "top_k", where=_WHERE, least=0, most=MOST_32_BITS),
        **{name: _values.number(value, name, where=_WHERE) for name, value in fractions.items()},
        "seed": secrets.randbits(64) if seed is None else _seed(seed),
        "stop": [] if stop is None else _values.texts(stop, "stop", where=_WHERE),
        "on_prefill": _values.callback(on_prefill, "on_prefill", where=_WHERE),
    }


def _seed(seed: int) -> int:
    return _values.whole(seed, "seed", where=_WHERE, least=0, most=MOST_UNSIGNED)

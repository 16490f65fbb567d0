# SPDX-License-Identifier: Apache-2.0
"""session.py: one conversation with a model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flashlm import _core
from flashlm._core import Error, Stats, Tokenizer
from flashlm._engine.checked_calls import checked
from flashlm._speaker import Speaker

if TYPE_CHECKING:
    from flashlm.chat.chat_template import ChatTemplate
    from flashlm.language_model import LanguageModel


class Session(Speaker):
    """One conversation with a model: what it has read stays computed.

    Made by ``LanguageModel.session``. Several sessions share one model, and wait only for single
    steps of the others. Thread-safe: threads that share a session take turns, and each call gives
    what it would give alone.

    Example:
        >>> session = lm.session()
        >>> text = session.generate("One, two,", max_new_tokens=4)
        >>> more = session.generate("One, two," + text, max_new_tokens=4)
        >>> session.stats.reused_tokens > 0
        True
    """

    def __init__(self, model: LanguageModel, native: _core.Session) -> None:
        self._model = model
        self._session: _core.Session | None = native

    @property
    def _native(self) -> _core.Session:
        if self._session is None:
            raise Error("[language_model] session: expected an open one, got one that is closed.")
        return self._session

    def _turn_ends(self) -> list[str]:
        return self._model._turn_ends()  # noqa: SLF001 - both are speakers

    @property
    def model(self) -> LanguageModel:
        """The model that this is a conversation with.

        Example:
            >>> lm.session().model is lm
            True
        """
        return self._model

    @property
    def chat_template(self) -> ChatTemplate:
        """The model's chat template.

        Example:
            >>> lm.session().chat_template is lm.chat_template
            True
        """
        return self._model.chat_template

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer.

        Example:
            >>> lm.session().tokenizer.vocab_size == lm.tokenizer.vocab_size
            True
        """
        return self._model.tokenizer

    @property
    def tokens(self) -> list[int]:
        """The ids that the session has read and written.

        Example:
            >>> session = lm.session()
            >>> session.tokens
            []
        """
        return self._native.tokens

    @property
    def context(self) -> int:
        """How many tokens fit.

        Example:
            >>> lm.session().context
            128
        """
        return self._native.context

    @property
    def stats(self) -> Stats:
        """What this session has done so far.

        Example:
            >>> lm.session().stats.tokens
            0
        """
        return self._native.stats

    def reset(self) -> None:
        """Forgets the conversation; the next prompt is computed from its beginning.

        Example:
            >>> session = lm.session()
            >>> text = session.generate("Hello", max_new_tokens=2)
            >>> session.reset()
            >>> session.tokens
            []
        """
        self._native.reset()

    @checked("session")
    def save(self, path: str | os.PathLike[str]) -> None:
        """Keeps the conversation in a file: its ids and what was computed of them.

        `load_session` goes on from there.

        Args:
            path: The file. It appears when it is complete; until then, what stood there stays.

        Raises:
            IoError: It cannot be written.

        Example:
            >>> session = lm.session()
            >>> text = session.generate("One, two,", max_new_tokens=4)
            >>> session.save("talk.kv")
            >>> lm.load_session("talk.kv").tokens == session.tokens
            True
        """
        self._native.save(path)

    def close(self) -> None:
        """Gives the session's memory back.

        Example:
            >>> session = lm.session()
            >>> session.close()
        """
        self._session = None

    def __repr__(self) -> str:
        native = self._session
        state = "closed" if native is None else f"{len(native.tokens)} of {native.context} tokens"
        return f"<flashlm.Session: {state}>"

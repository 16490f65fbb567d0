# SPDX-License-Identifier: Apache-2.0
"""language_model.py: a model that runs from flash storage, in the words of Python."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from flashlm import _core
from flashlm._core import Error, MemoryPlan, Stats, Tokenizer
from flashlm._engine.checked_calls import checked
from flashlm._engine.opening_options import check_drafter, check_memory, check_opening, check_size
from flashlm._speaker import Speaker
from flashlm.session import Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flashlm.chat.chat_template import ChatTemplate

Progress = Callable[[str, int, int], None]
"""Told how far a long job is: the stage, and how much of how much is done."""


class LanguageModel(Speaker):
    """A language model whose weights stay on flash; DRAM is a budget, and it is kept.

    Made by ``from_pretrained``. The text does not depend on the budget: more memory is only faster.
    ``generate``, ``stream``, ``chat`` and ``stream_chat`` share one session, which continues from
    what a new prompt has in common with the last one. Thread-safe: each call gives what it would
    give alone. Threads take turns, a whole ``generate`` or ``chat`` at a time, a stream piece by
    piece; with a ``session`` each they wait only for steps of the others. In a forked process it
    raises Error where it would compute; that process may open a model of its own.

    Example:
        >>> with flashlm.LanguageModel.from_pretrained("tiny.flash", memory="50%") as model:
        ...     text = model.generate("The moon is", max_new_tokens=8)
        >>> text == lm.generate("The moon is", max_new_tokens=8)
        True
    """

    def __init__(self, native: _core.LanguageModel) -> None:
        self._model: _core.LanguageModel | None = native
        self._chat_template: ChatTemplate | None = None
        self._ends: list[str] | None = None
        self._sessions: dict[
            int, weakref.ref[Session]
        ] = {}  # unlike a WeakSet, listed while other threads add

    @classmethod
    @checked("language_model")
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        *,
        memory: str | int = "auto",
        selector: str = "auto",
        context: int | None = None,
        parallel: int = 1,
        threads: int | None = None,
        reader: str = "auto",
        policy: str = "auto",
        window: int | None = None,
        drafter: str | os.PathLike[str] | None = "auto",
        lock_memory: bool = False,
        kv_store: str | os.PathLike[str] | bool | None = None,
        kv_store_bytes: str | int = "8GiB",
        progress: Progress | None = None,
    ) -> LanguageModel:
        """Opens a model. One that is not packed yet is packed into ``FLASHLM_HOME`` first.

        Args:
            source: A packed folder, a GGUF file, a Hugging Face folder, or a hub id such as
                ``owner/name``.
            memory: How much DRAM the model may take: ``"auto"``, ``"4GiB"`` or ``"50%"``.
                ``"auto"`` is what the machine and its control groups can spare now; bytes are
                everything that flashlm allocates; a share is one of the packed weights, with the KV
                cache and scratch on top. ``"auto"`` leaves a tenth of what is free, and at least 1
                GiB or a quarter of a smaller limit; memory_plan.limit has the numbers.
            selector: Which neurons a token needs. ``"dense"``: all of them. ``"predictor"``: those
                that a trained guess names (`flashlm.train`). ``"gate"``: all that can fire, with
                dense's result, for models of the ReLU family. ``"threshold"``: those with a large
                gate, which is lossy (`flashlm.add_thresholds`). The last three need a model packed
                with neurons_per_bundle=1. ``"auto"`` is the predictor where the folder has one,
                else dense.
            context: Tokens of a text that fit; by default the model's, 4096 at most, and fewer
                where memory holds no more.
            parallel: Sessions that have room from the start, the model's own among them. Each
                further one takes the place of weights, unless there is memory to spare.
            threads: Threads that compute, 1 to 1024; by default one per core. More than cores are
                slower, not wrong.
            reader: How flash is read: ``"auto"``, ``"threads"`` or ``"uring"``.
            policy: Which of the chosen neurons leave DRAM first. Those of the oldest token
                (``"window"``), the least recently used (``"lru"``), the least often used
                (``"frequency"``), or both in one (``"combined"``, which ``"auto"`` is); ``"none"``
                keeps nothing. None of these changes a result. ``"paper"`` does: it is the cache of
                arXiv:2312.11514, which multiplies whatever neurons the last tokens left in DRAM, so
                that a text depends on what was read before, on memory, and on how a prompt was cut.
            window: Tokens whose neurons stay, for the policies ``"window"`` and ``"paper"``. By
                default as many as fit, and with ``"paper"`` 5 at most. With the selector dense
                neither may be given.
            drafter: For speculative decoding: ``"auto"`` and ``"none"``, which are the same in this
                version.
            lock_memory: Keeps all memory of the model out of swap. The system limits that (`ulimit
                -l`).
            kv_store: A folder where prompts stay computed, for this process and later ones. It
                holds what the model has read, for this user's eyes only. ``True`` is ``kv`` in
                ``FLASHLM_HOME``, ``None`` keeps none.
            kv_store_bytes: What that folder may hold, of all models; what was not used for longest
                goes first.
            progress: Told how far downloading, packing and loading are: ``progress(stage, done,
                total)``.

        Returns:
            The model, ready to generate.

        Raises:
            FormatError: The source is no model that can be read, or it is damaged.
            BudgetError: It cannot run in ``memory``; ``smallest_bytes`` would do.
            IoError: A file could not be read or written, or memory not be locked.
            ArgumentError: An argument lies outside its range.
            NotImplementedError: An argument asks for something that comes later.

        Example:
            >>> model = flashlm.LanguageModel.from_pretrained(
            ...     "tiny.flash", memory="75%", context=64
            ... )
            >>> model.context
            64
            >>> model.close()
        """
        options: dict[str, Any] = {
            "selector": selector,
            "context": context,
            "parallel": parallel,
            "threads": threads,
            "reader": reader,
            "policy": policy,
            "window": window,
            "lock_memory": lock_memory,
        }
        check_opening(options)
        check_drafter(drafter)
        budget = check_memory(memory)
        from flashlm.home import kv_folder, packed
        from flashlm.packing.upgrade import upgraded

        store = kv_folder(kv_store)
        store_bytes = check_size(kv_store_bytes, "kv_store_bytes")
        folder = packed(source, progress=progress)
        native = _core.LanguageModel.open(
            folder,
            memory=budget,
            **options,
            kv_store=store,
            kv_store_bytes=store_bytes,
            manifest=upgraded(folder),
            on_progress=None
            if progress is None
            else lambda done, total: progress("load", done, total),
        )
        return cls(native)

    @property
    def _native(self) -> _core.LanguageModel:
        if self._model is None:
            raise Error("[language_model] model: expected an open one, got one that is closed.")
        return self._model

    def _turn_ends(self) -> list[str]:
        if self._ends is None:
            from flashlm.chat._template.turn_ends import turn_ends

            template, tokenizer, known = self.chat_template, self.tokenizer, self.config["eos"]
            ends = turn_ends(
                tokenizer.special_tokens,
                template.sources.values(),
                template.special_tokens.get("eos_token"),
            )
            self._ends = [end for end in ends if tokenizer.id(end) not in known]
        return self._ends

    @property
    def chat_template(self) -> ChatTemplate:
        r"""The model's chat template, read when it is first used.

        Raises FormatError where there is none.

        Example:
            >>> talk = [{"role": "user", "content": "Hi"}]
            >>> lm.chat_template.render(talk, add_generation_prompt=False)
            '<|im_start|>user\nHi<|im_end|>\n'
        """
        if self._chat_template is None:
            from flashlm.chat.chat_template import ChatTemplate

            self._chat_template = ChatTemplate.open(self.folder, self.tokenizer)
        return self._chat_template

    @property
    def folder(self) -> Path:
        """The packed folder that the model runs from.

        Example:
            >>> lm.folder.name
            'tiny.flash'
        """
        return self._native.folder

    @property
    def config(self) -> dict[str, Any]:
        """The model's numbers by name, and what runs it: threads, reader, selector.

        Example:
            >>> lm.config["n_layers"]
            3
        """
        return self._native.config

    @property
    def context(self) -> int:
        """How many tokens of a text fit.

        Example:
            >>> lm.context
            128
        """
        return self.memory_plan.context

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer: ``encode(text)`` and ``decode(ids)``.

        Example:
            >>> lm.tokenizer.decode(lm.tokenizer.encode("Hello"))
            'Hello'
        """
        return self._native.tokenizer

    @property
    def memory_plan(self) -> MemoryPlan:
        """Where the memory goes; ``print`` it, or take ``to_dict()``.

        Example:
            >>> plan = lm.memory_plan
            >>> plan.total <= plan.budget
            True
        """
        return self._native.memory_plan

    @property
    def stats(self) -> Stats:
        """What the model's own session has done so far; ``print`` it, or take ``to_dict()``.

        Example:
            >>> text = lm.generate("The moon is", max_new_tokens=2)
            >>> lm.stats.bytes_read > 0
            True
        """
        return self._native.stats

    @property
    def kv_store(self) -> dict[str, Any] | None:
        """Where prompts stay computed, and how many tokens came from there.

        None without such a folder.

        Example:
            >>> model = flashlm.LanguageModel.from_pretrained("tiny.flash", kv_store="kv")
            >>> model.kv_store["loaded_tokens"]
            0
            >>> model.close()
        """
        return self._native.kv_store

    def session(self) -> Session:
        """A new conversation beside the others, with a KV cache of its own.

        Example:
            >>> session = lm.session()
            >>> text = session.generate("Hello", max_new_tokens=2)
        """
        return self._kept(Session(self, self._native.session()))

    @checked("language_model")
    def load_session(self, path: str | os.PathLike[str]) -> Session:
        """A new conversation that goes on from one that `Session.save` kept.

        This process may have kept it, or an earlier one.

        Args:
            path: The file.

        Returns:
            The conversation, with a KV cache of its own.

        Raises:
            FormatError: The file is damaged, or it was saved with another model.
            ShapeError: The text is longer than the context.
            BudgetError: There is no room for another KV cache.
            IoError: The file cannot be read.

        Example:
            >>> session = lm.session()
            >>> text = session.generate("One, two,", max_new_tokens=4)
            >>> session.save("talk.kv")
            >>> again = lm.load_session("talk.kv")
            >>> more = again.generate("One, two," + text, max_new_tokens=4)
            >>> again.stats.reused_tokens > 0
            True
        """
        return self._kept(Session(self, self._native.load_session(path)))

    def _kept(self, session: Session) -> Session:
        """Remembers a session as long as it lives, to be closed with the model."""
        key, sessions = id(session), self._sessions
        sessions[key] = weakref.ref(session, lambda _: sessions.pop(key, None))
        return session

    @checked("language_model")
    def logits(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        """What the model expects after each token.

        Args:
            token_ids: Ids of a text, from its beginning.

        Returns:
            float32 [n, vocab]: row i scores the token after ``token_ids[: i + 1]``.

        Raises:
            ArgumentError: An id is not in the vocabulary.
            ShapeError: There are more ids than the context holds.

        Example:
            >>> ids = lm.tokenizer.encode("Hello")
            >>> lm.logits(ids).shape == (len(ids), lm.tokenizer.vocab_size)
            True
        """
        return self._native.logits(token_ids)

    @checked("language_model")
    def collect(
        self,
        token_ids: Sequence[int],
        on_layer: Callable[[int, NDArray[np.float32], NDArray[np.float32]], None],
    ) -> None:
        """Runs a text densely and shows what every neuron does, layer by layer and batch by batch.

        Args:
            token_ids: Ids of a text, from its beginning.
            on_layer: Called as ``on_layer(layer, x, h)`` with the input of the feed-forward
                network, float32 [n, dim], and the activation of each neuron, float32 [n,
                hidden_dim]. May raise to stop.

        Raises:
            ArgumentError: The selector is not dense, or an id is not in the vocabulary.
            ShapeError: There are more ids than the context holds.
            FormatError: An activation is not finite.

        Example:
            >>> shapes = []
            >>> tokens = lm.tokenizer.encode("Hi")
            >>> lm.collect(tokens, lambda layer, x, h: shapes.append((layer, h.shape[1])))
            >>> shapes
            [(0, 208), (1, 208), (2, 208)]
        """
        self._native.collect(token_ids, on_layer)

    @checked("language_model")
    def perplexity(self, text: str, progress: Callable[[int, int], None] | None = None) -> float:
        """How surprised the model is by a text: exp of the mean negative log-likelihood.

        The mean is that of tokens 2 to n.

        Args:
            text: At least two tokens long; read in windows of ``context`` tokens.
            progress: Told how many of how many tokens are read.

        Returns:
            1 for a model that knows the text by heart, the vocabulary's size for one that guesses
            evenly.

        Raises:
            ShapeError: The text has fewer than two tokens.

        Example:
            >>> lm.perplexity("The moon is bright tonight.") > 1
            True
        """
        return self._native.perplexity(text, progress)

    def close(self) -> None:
        """Gives the model's memory back, its sessions' too. Closing twice is fine.

        Example:
            >>> model = flashlm.LanguageModel.from_pretrained("tiny.flash")
            >>> model.close()
        """
        for reference in list(self._sessions.values()):
            if (session := reference()) is not None:
                session.close()
        self._model = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        native = self._model
        state = (
            "closed"
            if native is None
            else f"{native.folder}, {_core.format_bytes(native.memory_plan.total)}"
        )
        return f"<flashlm.LanguageModel: {state}>"

# SPDX-License-Identifier: Apache-2.0
"""smolagents.py: a model from flash for smolagents' agents, and tools that find and read papers.

from smolagents import CodeAgent
from flashlm.smolagents import FlashModel, paper_tools

agent = CodeAgent(tools=paper_tools(), model=FlashModel("owner/name"))
agent.run("Summarize today's top paper about LLMs.")
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from typing_extensions import Self

from flashlm._core import ArgumentError, Generation
from flashlm.language_model import LanguageModel, Progress
from flashlm.session import Session
from flashlm.tool_calls import ToolCall, call_schema, find_tool_calls

try:
    import smolagents.models as _models
    from smolagents import Model, Tool
    from smolagents.models import (
        ChatMessage,
        ChatMessageStreamDelta,
        ChatMessageToolCall,
        ChatMessageToolCallFunction,
        ChatMessageToolCallStreamDelta,
        MessageRole,
        get_tool_json_schema,
    )
    from smolagents.monitoring import TokenUsage
except ImportError as error:
    raise ModuleNotFoundError(
        f"[smolagents] import: flashlm.smolagents needs smolagents>=1.20 ({error}). Try: pip install 'flashlm[agents]'",
        name="smolagents",
    ) from error

__all__ = [
    "DownloadPaper",
    "FlashModel",
    "ReadPdf",
    "TopDailyPapers",
    "flatten_messages",
    "paper_tools",
]

# What smolagents calls things, and what chat templates know.
_ROLES = {"tool-call": "assistant", "tool-response": "user", "tool": "user"}
_KNOWN_ROLES = ("system", "user", "assistant")
_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed")
_TOOL_CHOICES = ("required", "auto", "none")


class FlashModel(Model):  # type: ignore[misc]
    """A model for smolagents' agents that runs from flash in a budget of DRAM.

    What an agent's next step has in common with the last one is not computed again, and the tokens that the model wrote
    stay as they were. Thread-safe: threads take turns. A stream that a thread leaves unfinished ends when the same
    thread asks again.

    With tools, the answer is held to a valid call by a grammar (``tool_choice="required"``, smolagents' default); with
    ``"auto"`` the model writes what it likes and calls are found in it, in the form of its family. Answers in a
    ``response_format`` are held to its JSON schema; stop texts do not cut them.

    Args:
        model_id: What ``LanguageModel.from_pretrained`` opens; or an open model, or a session of one.
        memory: As for ``LanguageModel.from_pretrained``.
        context: How many tokens fit; by default the model's own number, as far as the budget allows.
        threads: How many compute; by default one per core.
        reader: How flash is read: ``"auto"``, ``"threads"`` or ``"uring"``.
        kv_store: A folder where prompts stay computed for later processes; ``True`` for the default one.
        max_new_tokens: An answer ends after so many tokens.
        max_tokens: Another name for it.
        tool_choice: ``"required"``, ``"auto"`` or ``"none"``.
        parallel_tool_calls: Under ``"required"``, one answer may hold several calls.
        template_variables: More names for the model's template, such as ``{"enable_thinking": False}``.
        custom_role_conversions: Roles of your own and what the template calls them: system, user or assistant.
        tool_name_key: How the model calls the name of a tool in a call.
        tool_arguments_key: How the model calls the arguments.
        progress: Told how far downloading, packing and loading are.
        on_prefill: Told how many tokens of a prompt are computed, and of how many.
        **sampling: ``temperature``, ``top_k``, ``top_p``, ``min_p``, ``repetition_penalty``, ``seed``; and
            ``do_sample=False``, which is temperature 0.

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
        memory: str | int = "50%",
        context: int | None = None,
        threads: int | None = None,
        reader: str = "auto",
        kv_store: str | os.PathLike[str] | bool | None = None,
        max_new_tokens: int = 1024,
        max_tokens: int | None = None,
        tool_choice: str = "required",
        parallel_tool_calls: bool = False,
        template_variables: Mapping[str, Any] | None = None,
        custom_role_conversions: Mapping[str, str] | None = None,
        tool_name_key: str = "name",
        tool_arguments_key: str = "arguments",
        progress: Progress | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        **sampling: Any,
    ) -> None:
        settings = {
            "max_new_tokens": max_new_tokens if max_tokens is None else max_tokens,
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
            "template_variables": dict(template_variables or {}),
            "custom_role_conversions": dict(custom_role_conversions or {}),
            **_sampling_of(sampling),
        }
        _check_tool_choice(tool_choice)
        opened = isinstance(model_id, (LanguageModel, Session))
        super().__init__(
            flatten_messages_as_text=True,
            tool_name_key=tool_name_key,
            tool_arguments_key=tool_arguments_key,
            model_id=str(_folder_of(model_id))
            if isinstance(model_id, (LanguageModel, Session))
            else os.fspath(model_id),
            **settings,
        )
        if isinstance(model_id, (LanguageModel, Session)):
            self._speaker: LanguageModel | Session = model_id
        else:
            self._speaker = _open(
                model_id, memory=memory, context=context, threads=threads, reader=reader, kv_store=kv_store,
                progress=progress,
            )  # fmt: skip
        self._owns = not opened
        self._opening = {"memory": memory, "context": context, "threads": threads, "reader": reader}
        self._opening["kv_store"] = kv_store if kv_store is None or isinstance(kv_store, bool) else os.fspath(kv_store)
        self.told = on_prefill
        self._turn = _Turn()
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
            messages: smolagents' ``ChatMessage`` objects, or mappings with ``role`` and ``content``.
            stop_sequences: The answer ends before the first of these texts.
            response_format: ``{"type": "json_object"}``, or ``{"type": "json_schema", "json_schema": {"schema": {}}}``
                with a schema.
            tools_to_call_from: Tools that the answer may call.
            **kwargs: Settings of the model for this answer only, such as ``max_new_tokens`` or ``tool_choice``.

        Returns:
            The answer: its text, its tool calls, and how many tokens went in and out. ``raw`` tells how many tokens of
            the prompt were computed, and how many were there already.

        Raises:
            ArgumentError: A message or a setting cannot be used.
            ShapeError: The conversation is longer than the context.
            FormatError: A schema that cannot be used.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> message = FlashModel(lm).generate([{"role": "user", "content": "Hello"}], max_new_tokens=4)
            >>> message.role.value
            'assistant'
        """
        asked = _Asked(
            self,
            messages=messages,
            stop_sequences=stop_sequences,
            response_format=response_format,
            tools=tools_to_call_from,
            kwargs=kwargs,
        )
        with self._turn.taken() as turn:
            generation = self._start(asked)
            turn.generation = generation
            text = "".join(generation)
        calls = self._calls(text, asked)
        return ChatMessage(
            role=MessageRole.ASSISTANT,
            content=text,
            tool_calls=calls or None,
            raw={
                "out": text,
                "completion_kwargs": asked.shown,
                "finish_reason": generation.finish_reason,
                "reused_tokens": len(generation.prompt_tokens) - asked.computed,
                "computed_tokens": asked.computed,
            },
            token_usage=TokenUsage(input_tokens=len(generation.prompt_tokens), output_tokens=len(generation.tokens)),
        )

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
            >>> deltas = list(FlashModel(lm).generate_stream([{"role": "user", "content": "Hello"}], max_new_tokens=4))
            >>> deltas[-1].token_usage.output_tokens <= 4
            True
        """
        asked = _Asked(
            self,
            messages=messages,
            stop_sequences=stop_sequences,
            response_format=response_format,
            tools=tools_to_call_from,
            kwargs=kwargs,
        )
        pieces: list[str] = []
        with self._turn.taken() as turn:
            generation = self._start(asked)
            turn.generation = generation
            for piece in generation:
                pieces.append(piece)
                yield ChatMessageStreamDelta(content=piece)
        for index, call in enumerate(self._calls("".join(pieces), asked, as_text=True)):
            yield ChatMessageStreamDelta(
                tool_calls=[
                    ChatMessageToolCallStreamDelta(index=index, id=call.id, type=call.type, function=call.function)
                ]
            )
        # One last delta with all of the usage: smolagents adds them up, and its planning looks at texts only.
        usage = TokenUsage(input_tokens=len(generation.prompt_tokens), output_tokens=len(generation.tokens))
        yield ChatMessageStreamDelta(content="", token_usage=usage)

    def parse_tool_calls(self, message: ChatMessage) -> ChatMessage:
        """Fills in the calls that a message's text holds; smolagents' own reading where there are none.

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
            **self.kwargs,
        }

    @classmethod
    def from_dict(cls, model_dictionary: Mapping[str, Any]) -> FlashModel:
        """The model that ``to_dict`` described.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> FlashModel.from_dict({"model_id": "tiny.flash", "context": 64}).language_model.context
            64
        """
        return cls(**dict(model_dictionary))

    def close(self) -> None:
        """Gives the memory back of a model that was opened here; one that was given stays open.

        Example:
            >>> from flashlm.smolagents import FlashModel
            >>> FlashModel("tiny.flash").close()
        """
        if self._owns:
            self._speaker.close()

    def _start(self, asked: _Asked) -> Generation:
        return self._speaker.stream_chat(asked.messages, **asked.arguments, on_prefill=asked.on_prefill)

    def _find(self, text: str, tools: Sequence[str]) -> list[ToolCall]:
        return find_tool_calls(text, tools, name_key=self.tool_name_key, arguments_key=self.tool_arguments_key)

    def _calls(self, text: str, asked: _Asked, *, as_text: bool = False) -> list[ChatMessageToolCall]:
        return self._numbered(self._find(text, asked.tool_names), as_text=as_text) if asked.tool_names else []

    def _numbered(self, calls: Sequence[ToolCall], *, as_text: bool = False) -> list[ChatMessageToolCall]:
        """With ids that no other call of this model has; agents sort by them."""
        import json

        return [
            ChatMessageToolCall(
                id=f"call_{next(self._ids):06d}",
                type="function",
                function=ChatMessageToolCallFunction(
                    name=call.name,
                    arguments=json.dumps(call.arguments, ensure_ascii=False) if as_text else call.arguments,
                ),
            )
            for call in calls
        ]


class _Asked:
    """One question in the words of ``stream_chat``."""

    def __init__(
        self,
        model: FlashModel,
        *,
        messages: Sequence[Any],
        stop_sequences: Sequence[str] | None,
        response_format: Mapping[str, Any] | None,
        tools: Sequence[Any] | None,
        kwargs: Mapping[str, Any],
    ) -> None:
        given = dict(kwargs)
        conversions = given.pop("custom_role_conversions", None)
        given.pop("flatten_messages_as_text", None)
        given.pop("convert_images_to_image_urls", None)
        settings = {**model.kwargs, **_call_settings(given)}
        conversions = {**settings.pop("custom_role_conversions"), **(conversions or {})}
        self.messages = flatten_messages(messages, conversions)
        choice = settings.pop("tool_choice")
        several = settings.pop("parallel_tool_calls")
        schemas = _chosen([get_tool_json_schema(tool) for tool in tools or ()], choice)
        self.tool_names = [schema["function"]["name"] for schema in schemas]
        stop = list(stop_sequences or ())
        self.arguments: dict[str, Any] = dict(settings)
        if schemas:
            self.arguments["tools"] = schemas
            if response_format is None and choice != "auto":
                schema = call_schema(
                    schemas,
                    name_key=model.tool_name_key,
                    arguments_key=model.tool_arguments_key,
                    several=several,
                )
                response_format = {"type": "json_schema", "json_schema": {"name": "tool_call", "schema": schema}}
        if response_format is not None and response_format.get("type") != "text":
            self.arguments["response_format"] = response_format
            stop = []  # a stop text may stand inside the JSON
        self.arguments["stop"] = stop
        self.computed = 0  # tokens of the prompt; known once it is
        self._told = model.told
        self.shown = {key: value for key, value in self.arguments.items() if key not in ("tools", "response_format")}

    def on_prefill(self, done: int, total: int) -> None:
        """Told how far the prompt is; the first total is that of the prompt, later ones are of forced tokens."""
        self.computed = self.computed or total
        if self._told is not None:
            self._told(done, total)


class _Turn:
    """Lets one generation run at a time."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._holder: _Holder | None = None

    def taken(self) -> _Holder:
        """Waits until nobody else generates. A stream that this thread left unfinished is ended."""
        holder = _Holder(self)
        with self._free:
            while self._holder is not None:
                if self._holder.thread == threading.get_ident():
                    self._holder.end()
                    break
                self._free.wait()
            self._holder = holder
        return holder

    def release(self, holder: _Holder) -> None:
        """The next may go on."""
        with self._free:
            if self._holder is holder:
                self._holder = None
                self._free.notify()


class _Holder:
    """Whose turn it is."""

    def __init__(self, turn: _Turn) -> None:
        self._turn = turn
        self.thread = threading.get_ident()
        self.generation: Generation | None = None

    def end(self) -> None:
        if self.generation is not None:
            self.generation.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._turn.release(self)


def flatten_messages(
    messages: Sequence[Any], role_conversions: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    r"""Messages of smolagents as chat templates take them: a role and a text each, never the same role twice in a row.

    Args:
        messages: ``ChatMessage`` objects, or mappings; ``content`` is a text or a list of text parts.
        role_conversions: Roles of your own, and what they become.

    Returns:
        ``{"role": "user", "content": "Hello"}`` and so on.

    Raises:
        ArgumentError: A role is not known, or content is no text.

    Example:
        >>> from flashlm.smolagents import flatten_messages
        >>> flatten_messages([{"role": "user", "content": "a"}, {"role": "tool-response", "content": "b"}])
        [{'role': 'user', 'content': 'a\nb'}]
    """
    flat: list[dict[str, str]] = []
    roles = {**_ROLES, **{str(getattr(key, "value", key)): value for key, value in (role_conversions or {}).items()}}
    for index, message in enumerate(messages):
        is_mapping = isinstance(message, Mapping)
        role = message.get("role") if is_mapping else getattr(message, "role", None)
        content = message.get("content") if is_mapping else getattr(message, "content", None)
        name = str(getattr(role, "value", role))
        converted = roles.get(name, name)
        name = str(getattr(converted, "value", converted))
        if name not in _KNOWN_ROLES:
            raise ArgumentError(
                f"[smolagents] messages[{index}]: expected a role of system, user, assistant, tool-call, tool-response "
                f"or one of custom_role_conversions, got {name!r}."
            )
        text = _text_of(content, f"messages[{index}]")
        if flat and flat[-1]["role"] == name:
            flat[-1]["content"] += "\n" + text
        else:
            flat.append({"role": name, "content": text})
    return flat


def _text_of(content: Any, where: str) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, (list, tuple)) else [content]
    texts = []
    for part in parts:
        if not (isinstance(part, Mapping) and isinstance(part.get("text"), str)):
            kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
            raise ArgumentError(f"[smolagents] {where}: expected text, got {kind!r}. Only text can be read.")
        texts.append(part["text"])
    return "\n".join(texts)


def _sampling_of(given: Mapping[str, Any]) -> dict[str, Any]:
    settings = dict(given)
    if settings.pop("do_sample", True) is False:
        settings["temperature"] = 0.0
    unknown = sorted(set(settings) - set(_SAMPLING))
    if unknown:
        raise ArgumentError(
            f"[smolagents] {unknown[0]}: expected max_new_tokens, tool_choice, do_sample or one of "
            f"{', '.join(_SAMPLING)}, got a name that is not known."
        )
    return settings


def _call_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of one call."""
    own = ("max_new_tokens", "max_tokens", "tool_choice", "parallel_tool_calls", "template_variables")
    settings = {key: given[key] for key in own if given.get(key) is not None}
    if "max_tokens" in settings:
        settings["max_new_tokens"] = settings.pop("max_tokens")
    if "tool_choice" in settings:
        _check_tool_choice(settings["tool_choice"])
    return {**settings, **_sampling_of({key: value for key, value in given.items() if key not in own})}


def _check_tool_choice(choice: Any) -> None:
    named = isinstance(choice, Mapping) and isinstance(choice.get("function"), Mapping)
    if choice not in _TOOL_CHOICES and not named:
        raise ArgumentError(
            f"[smolagents] tool_choice: expected 'required', 'auto', 'none' or {{'function': {{'name': ...}}}}, got "
            f"{choice!r}."
        )


def _chosen(schemas: list[dict[str, Any]], choice: Any) -> list[dict[str, Any]]:
    """The tools that may be called."""
    if choice == "none":
        return []
    if isinstance(choice, Mapping):
        name = choice["function"].get("name")
        chosen = [schema for schema in schemas if schema["function"]["name"] == name]
        if schemas and not chosen:
            names = ", ".join(schema["function"]["name"] for schema in schemas)
            raise ArgumentError(f"[smolagents] tool_choice: expected one of {names}, got {name!r}.")
        return chosen
    return schemas


def _folder_of(speaker: LanguageModel | Session) -> os.PathLike[str]:
    return speaker.folder if isinstance(speaker, LanguageModel) else speaker.model.folder


def _open(
    source: str | os.PathLike[str], *, memory: str | int, context: int | None, progress: Progress | None, **more: Any
) -> LanguageModel:
    from flashlm.context_size import largest_context
    from flashlm.home import packed

    folder = packed(source, progress=progress)
    if context is None:
        context = largest_context(folder, memory)
    more = {key: value for key, value in more.items() if value is not None}
    return LanguageModel.from_pretrained(folder, memory=memory, context=context, progress=progress, **more)


class TopDailyPapers(Tool):  # type: ignore[misc]
    """Finds the top daily papers of a topic; see `flashlm.papers`.

    Example:
        >>> from flashlm.smolagents import TopDailyPapers
        >>> TopDailyPapers().name
        'get_hugging_face_top_daily_paper_ids_by_topic'
    """

    name = "get_hugging_face_top_daily_paper_ids_by_topic"
    description = (
        "Finds the top daily papers of Hugging Face about a topic and returns a list of their arXiv ids, the most "
        "voted one first. The page of a paper is https://arxiv.org/abs/ and its id. If there are none, it raises."
    )
    inputs = {  # noqa: RUF012 - the form that smolagents asks for
        "topic": {"type": "string", "description": "What the papers are about, such as LLM or speech recognition."},
        "num_papers": {"type": "integer", "description": "How many papers at most. Default 1.", "nullable": True},
    }
    output_type = "array"

    def forward(self, topic: str, num_papers: int | None = 1) -> list[str]:
        """The ids."""
        from flashlm.papers import find_ids

        return find_ids(topic, 1 if num_papers is None else num_papers)


class DownloadPaper(Tool):  # type: ignore[misc]
    """Downloads a paper into the cache; see `flashlm.papers`.

    Example:
        >>> from flashlm.smolagents import DownloadPaper
        >>> DownloadPaper().name
        'download_paper_by_id'
    """

    name = "download_paper_by_id"
    description = (
        "Downloads a paper by its arXiv id and returns the path of the file, which read_pdf_file takes. A paper that "
        "was downloaded before is not downloaded again."
    )
    inputs = {"paper_id": {"type": "string", "description": "The arXiv id, such as 2312.11514."}}  # noqa: RUF012
    output_type = "string"

    def forward(self, paper_id: str) -> str:
        """The path of the file."""
        from flashlm.papers import download

        return str(download(paper_id))


class ReadPdf(Tool):  # type: ignore[misc]
    """Reads pages of a PDF; see `flashlm.papers`.

    Args:
        max_characters: What one call returns at most, for it has to fit into the model's context; 0 for no limit.

    Example:
        >>> from flashlm.smolagents import ReadPdf
        >>> ReadPdf().name
        'read_pdf_file'
    """

    name = "read_pdf_file"
    description = (
        "Reads the text of a PDF file, all pages or some. Each page begins with a line that says its number and how "
        "many there are. Of a long text the last line says how to read on."
    )
    inputs = {  # noqa: RUF012
        "file_path": {"type": "string", "description": "The path that download_paper_by_id returned."},
        "first_page": {"type": "integer", "description": "The first page to read. Default 1.", "nullable": True},
        "last_page": {"type": "integer", "description": "The last page to read. Default: the last.", "nullable": True},
    }
    output_type = "string"

    def __init__(self, max_characters: int = 16000) -> None:
        self.max_characters = max_characters
        super().__init__()

    def forward(self, file_path: str, first_page: int | None = 1, last_page: int | None = None) -> str:
        """The text, page by page."""
        from flashlm.papers import read_text

        return read_text(file_path, 1 if first_page is None else first_page, last_page, self.max_characters)


def paper_tools() -> list[Tool]:
    """The three tools that find, download and read papers.

    Example:
        >>> from flashlm.smolagents import paper_tools
        >>> [tool.name for tool in paper_tools()][1:]
        ['download_paper_by_id', 'read_pdf_file']
    """
    return [TopDailyPapers(), DownloadPaper(), ReadPdf()]


# Agents that are loaded again look their model's class up there (smolagents 1.25 and later).
if isinstance(registry := getattr(_models, "MODEL_REGISTRY", None), dict):
    registry["FlashModel"] = FlashModel

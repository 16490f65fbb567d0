# SPDX-License-Identifier: Apache-2.0
"""agent.py: a model that calls Python functions until it knows the answer."""

from __future__ import annotations

import inspect
import json
import re
import threading
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Union

from flashlm import _core
from flashlm._core import ArgumentError
from flashlm.messages import Message
from flashlm.speaker import Speaker

ChatFunction = Callable[[list[Message], str], str]
"""Stands for a model: messages and a JSON schema (or "") in, the answer out."""

_FUNCTION_CONTEXT = 1 << 20  # tokens that a function in a model's place is taken to read
_BYTES_PER_TOKEN = 4  # of its texts, about
_TYPES: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
    type(None): "null",
}


@dataclass(frozen=True)
class Tool:
    """A function that a model may call.

    Args:
        name: Letters, digits and ``_``.
        description: What it is for; the model reads it.
        parameters: The JSON schema of an object: its arguments.
        function: Called with these by keyword. What it returns is shown to the model: a text as it is, other values as
            JSON where they can be. What it raises is shown too.
        max_seconds: After so long the model is told that there was no result, and the call is left alone; 0 for no
            limit.

    Example:
        >>> def add(a: int, b: int = 1) -> int:
        ...     '''Adds two numbers.
        ...
        ...     Args:
        ...         a: The first.
        ...         b: The second.
        ...     '''
        ...     return a + b
        >>> tool = flashlm.Tool.of(add)
        >>> tool.description
        'Adds two numbers.'
        >>> tool.parameters["properties"]["a"]
        {'type': 'integer', 'description': 'The first.'}
        >>> tool.parameters["required"]
        ['a']
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    function: Callable[..., Any] = field(repr=False)
    max_seconds: float = 0

    @classmethod
    def of(cls, function: Callable[..., Any], *, max_seconds: float = 0) -> Tool:
        """Makes a tool of a typed function with a docstring.

        Args:
            function: Its name, the first part of its docstring, the types of its parameters and what the docstring says
                of them under ``Args:`` are what the model reads.
            max_seconds: As above.

        Returns:
            The tool.

        Raises:
            ArgumentError: The function has no docstring, a parameter without a type or of a type that JSON lacks, or
                parameters that cannot be passed by keyword.

        Example:
            >>> def now() -> str:
            ...     '''Tells the time.'''
            ...     return "noon"
            >>> flashlm.Tool.of(now).name
            'now'
        """
        name = getattr(function, "__name__", type(function).__name__)
        text = inspect.getdoc(function) or ""
        described = re.split(r"^(?:Args|Returns|Raises|Example)s?:\s*$", text, maxsplit=1, flags=re.MULTILINE)[
            0
        ].strip()
        if not described:
            raise ArgumentError(f"[tool] {name}: expected a docstring, which tells the model what it is for, got none.")
        return cls(name, described, _parameters(function, name, _argument_texts(text)), function, max_seconds)


@dataclass(frozen=True)
class Step:
    """One step of an agent.

    Args:
        number: From 1.
        output: What the model wrote.
        thought: What it said before it acted.
        calls: The tools it called: ``{"id": ..., "name": ..., "arguments": {...}}`` each.
        observations: What came of each call: ``{"call": ..., "tool": ..., "text": ..., "failed": ...}``.
        answer: The answer to the task, if this is the last step.
        problem: Why the output is no action, if it is none; the model is told.
        output_tokens: Tokens of the output.
        seconds: How long the step took.

    Example:
        >>> agent = flashlm.Agent(lambda messages, schema: "Final Answer: 4", [])
        >>> agent.start("What is 2 + 2?")
        >>> print(agent.next())
        Step 1
          Answer: 4
    """

    number: int
    output: str
    thought: str
    calls: list[dict[str, Any]]
    observations: list[dict[str, Any]]
    answer: str | None
    problem: str | None
    output_tokens: int
    seconds: float
    _text: str = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self._text.rstrip("\n")


class Agent:
    """A model that calls tools until it knows the answer to a task.

    What the model does wrong (a text that is no call, arguments that do not fit) and what a tool raises is told to the
    model, which tries again. Errors of the model itself are raised; the step can then be tried again. Not thread-safe.

    Args:
        model: A model or a session; or a function that stands for one: messages and a JSON schema in, a text out.
        tools: Tools, or typed functions with docstrings.
        instructions: Added to the system message.
        max_steps: Of a task; in the last one the model is asked for its answer.
        min_calls: Calls that must give a result before a constrained model can answer; small models answer too soon.
        max_tokens: Generated in a task; 0 for no limit.
        max_seconds: Of a task; 0 for no limit.
        observation_tokens: Longer results of tools are cut, with a note.
        max_new_tokens: Of one text of the model.
        constrained: The model can write nothing but a call that fits.
        **sampling: How the model draws: ``temperature``, ``top_k``, ``top_p``, ``min_p``, ``repetition_penalty``,
            ``seed``.

    Raises:
        ArgumentError: A tool that no model could call, or a limit of nothing.

    Example:
        >>> def add(a: int, b: int) -> int:
        ...     '''Adds two numbers.'''
        ...     return a + b
        >>> answers = ['{"name": "add", "arguments": {"a": 2, "b": 3}}', "Final Answer: 5"]
        >>> agent = flashlm.Agent(lambda messages, schema: answers.pop(0), [add])
        >>> agent.run("What is 2 + 3?")
        '5'
    """

    def __init__(
        self,
        model: Speaker | ChatFunction,
        tools: Sequence[Tool | Callable[..., Any]],
        *,
        instructions: str = "",
        max_steps: int = 10,
        min_calls: int = 0,
        max_tokens: int = 0,
        max_seconds: float = 0,
        observation_tokens: int = 1024,
        max_new_tokens: int = 512,
        constrained: bool = True,
        **sampling: Any,
    ) -> None:
        self.tools: list[Tool] = [tool if isinstance(tool, Tool) else Tool.of(tool) for tool in tools]
        for name, value in {"max_steps": max_steps, "observation_tokens": observation_tokens}.items():
            _check_count(name, value, 1)
        for name, value in {"min_calls": min_calls, "max_tokens": max_tokens, "max_new_tokens": max_new_tokens}.items():
            _check_count(name, value, 0)
        unknown = sampling.keys() - {"temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed"}
        if unknown:
            raise ArgumentError(f"[agent] options: unknown {', '.join(sorted(unknown))}.")
        asked: _Model = (
            _SpeakerModel(model, max_new_tokens, sampling) if isinstance(model, Speaker) else _Function(model)
        )
        self._native = _core.Agent(
            asked.answer,
            asked.count_tokens,
            asked.context,
            [(tool.name, tool.description, json.dumps(tool.parameters), _runner(tool)) for tool in self.tools],
            instructions=instructions,
            max_steps=max_steps,
            min_calls=min_calls,
            max_tokens=max_tokens,
            max_seconds=max_seconds,
            observation_tokens=observation_tokens,
            max_new_tokens=max_new_tokens,
            constrained=constrained,
        )

    def start(self, task: str) -> None:
        """Begins a task, and forgets the one before.

        Args:
            task: What to do.

        Example:
            >>> agent = flashlm.Agent(lm, [])
            >>> agent.start("What is 2 + 2?")
            >>> agent.status
            'running'
        """
        self._native.start(task)

    def next(self) -> Step | None:
        """Does one step.

        Returns:
            The step, or None when the task has ended: ``status`` says how.

        Example:
            >>> agent = flashlm.Agent(lambda messages, schema: "Final Answer: 4", [])
            >>> agent.start("What is 2 + 2?")
            >>> agent.next().answer
            '4'
            >>> agent.next() is None
            True
        """
        step = self._native.next()
        return None if step is None else _step(*step)

    def __iter__(self) -> Iterator[Step]:
        while (step := self.next()) is not None:
            yield step

    def run(self, task: str) -> str | None:
        """Does a whole task.

        Args:
            task: What to do.

        Returns:
            The answer; None if a limit came first, which ``status`` names.

        Example:
            >>> agent = flashlm.Agent(lambda messages, schema: "I wonder.", [], max_steps=2)
            >>> agent.run("What is 2 + 2?") is None
            True
            >>> agent.status
            'out_of_steps'
        """
        self.start(task)
        for _ in self:
            pass
        return self.answer

    @property
    def status(self) -> str:
        """``idle``, ``running``, ``answered``, ``out_of_steps``, ``out_of_tokens`` or ``out_of_time``.

        Example:
            >>> flashlm.Agent(lm, []).status
            'idle'
        """
        return self._native.status

    @property
    def answer(self) -> str | None:
        """The answer to the task, when there is one.

        Example:
            >>> flashlm.Agent(lm, []).answer is None
            True
        """
        return self._native.answer if self.status == "answered" else None

    @property
    def steps(self) -> list[Step]:
        """All steps of the task so far.

        Example:
            >>> flashlm.Agent(lm, []).steps
            []
        """
        return [_step(*step) for step in self._native.steps()]

    @property
    def messages(self) -> list[dict[str, str]]:
        """What the model is asked in the next step.

        Example:
            >>> agent = flashlm.Agent(lm, [])
            >>> agent.start("What is 2 + 2?")
            >>> agent.messages[1]
            {'role': 'user', 'content': 'What is 2 + 2?'}
        """
        return [{"role": role, "content": content} for role, content in self._native.messages()]

    def save(self) -> dict[str, Any]:
        """The task and its steps as plain data, from which ``load`` goes on.

        Example:
            >>> flashlm.Agent(lm, []).save()["status"]
            'idle'
        """
        saved: dict[str, Any] = json.loads(self._native.save())
        return saved

    def load(self, saved: Mapping[str, Any]) -> None:
        """Goes on with a task that ``save`` gave.

        Raises:
            FormatError: It is something else.

        Example:
            >>> agent = flashlm.Agent(lm, [])
            >>> agent.start("What is 2 + 2?")
            >>> other = flashlm.Agent(lm, [])
            >>> other.load(agent.save())
            >>> other.status
            'running'
        """
        self._native.load(json.dumps(saved))

    def __repr__(self) -> str:
        return f"<flashlm.Agent: {self.status}, {len(self.tools)} tools>"


class _Model(typing.Protocol):
    """What the engine's agent needs of a model."""

    @property
    def context(self) -> int: ...

    def count_tokens(self, text: str) -> int: ...

    def answer(
        self,
        messages: list[tuple[str, str]],
        schema: str,
        stop: list[str],
        on_piece: Callable[[str], bool],
        on_prefill: Callable[[int, int], bool],
    ) -> str: ...


class _StoppedError(Exception):
    """The engine's agent wants the prompt no longer."""


class _SpeakerModel:
    def __init__(self, speaker: Speaker, max_new_tokens: int, sampling: Mapping[str, Any]) -> None:
        self._speaker = speaker
        self._options = {"max_new_tokens": max_new_tokens, **sampling}

    @property
    def context(self) -> int:
        return self._speaker.context

    def count_tokens(self, text: str) -> int:
        return len(self._speaker.tokenizer.encode(text, parse_special=False, add_special=False))

    def answer(
        self,
        messages: list[tuple[str, str]],
        schema: str,
        stop: list[str],
        on_piece: Callable[[str], bool],
        on_prefill: Callable[[int, int], bool],
    ) -> str:
        def prefill(done: int, total: int) -> None:
            if not on_prefill(done, total):
                raise _StoppedError

        form = (
            {"type": "json_schema", "json_schema": {"name": "call", "schema": json.loads(schema)}} if schema else None
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


class _Function:
    context = _FUNCTION_CONTEXT

    def __init__(self, function: ChatFunction) -> None:
        if not callable(function):
            raise ArgumentError(
                f"[agent] model: expected a model, a session or a function, got {type(function).__name__}."
            )
        self._function = function

    def count_tokens(self, text: str) -> int:
        return -(-len(text.encode(errors="replace")) // _BYTES_PER_TOKEN)

    def answer(
        self,
        messages: list[tuple[str, str]],
        schema: str,
        stop: list[str],
        on_piece: Callable[[str], bool],
        on_prefill: Callable[[int, int], bool],
    ) -> str:
        del on_prefill
        text = self._function([{"role": role, "content": content} for role, content in messages], schema)
        if not isinstance(text, str):
            raise ArgumentError(f"[agent] model: expected a text from the function, got {type(text).__name__}.")
        for end in stop:
            text = text.split(end)[0]
        on_piece(text)
        return text


def _runner(tool: Tool) -> Callable[[str], str]:
    """The tool as the engine calls it: JSON in, text out."""

    def run(arguments: str) -> str:
        values = json.loads(arguments)
        result = _within(tool, values) if tool.max_seconds > 0 else tool.function(**values)
        if isinstance(result, str):
            return result.encode(errors="replace").decode()
        try:
            return json.dumps(result, ensure_ascii=False)
        except (TypeError, ValueError):
            return str(result)

    return run


def _within(tool: Tool, arguments: Mapping[str, Any]) -> Any:
    """Calls the tool in a thread that is left alone when its time is over."""
    outcome: list[tuple[bool, Any]] = []

    def call() -> None:
        try:
            outcome.append((True, tool.function(**arguments)))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            outcome.append((False, error))

    thread = threading.Thread(target=call, name=f"flashlm tool {tool.name}", daemon=True)
    thread.start()
    thread.join(tool.max_seconds)
    if not outcome:
        raise TimeoutError(f"no result after {tool.max_seconds:g} s")
    done, value = outcome[0]
    if not done:
        raise value
    return value


def _step(content: str, text: str) -> Step:
    value = json.loads(content)
    action = value["action"]
    return Step(
        number=value["number"],
        output=value["output"],
        thought=value["thought"],
        calls=action.get("calls", []),
        observations=value["observations"],
        answer=action.get("answer"),
        problem=action.get("problem"),
        output_tokens=value["output_tokens"],
        seconds=value["seconds"],
        _text=text,
    )


def _check_count(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ArgumentError(f"[agent] {name}: expected a whole number of at least {least}, got {value!r}.")


def _parameters(function: Callable[..., Any], name: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """The JSON schema of a function's arguments."""
    hints = typing.get_type_hints(function)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        where = f"{name}({parameter.name})"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ArgumentError(
                f"[tool] {where}: expected a parameter that has a name, got {parameter.kind.description}."
            )
        if parameter.name not in hints:
            raise ArgumentError(f"[tool] {where}: expected a type, got none.")
        schema = _type_schema(hints[parameter.name], where)
        if parameter.name in texts:
            schema["description"] = texts[parameter.name]
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        properties[parameter.name] = schema
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _type_schema(hint: Any, where: str) -> dict[str, Any]:
    if hint in _TYPES:
        return {"type": _TYPES[hint]}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is list:
        return {"type": "array", "items": _type_schema(inner[0], where)}
    if origin is dict and inner[0] is str:
        return {"type": "object", "additionalProperties": _type_schema(inner[1], where)}
    if origin in (Union, types.UnionType):
        choices = [_type_schema(one, where) for one in inner]
        if all(choice.keys() == {"type"} for choice in choices):
            return {"type": [choice["type"] for choice in choices]}
        return {"anyOf": choices}
    raise ArgumentError(
        f"[tool] {where}: expected str, int, float, bool, list, dict, Literal or a union of them, got {hint}."
    )


def _argument_texts(docstring: str) -> dict[str, str]:
    """What a Google style docstring says of each argument."""
    section = re.search(r"^Args:\s*\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    if section is None:
        return {}
    lines = inspect.cleandoc("\n" + section.group(1)).splitlines()
    texts: dict[str, str] = {}
    current = ""
    for line in lines:
        begun = re.match(r"(\w+)(?: \([^)]*\))?:\s*(.*)", line)
        if begun:
            current = begun.group(1)
            texts[current] = begun.group(2)
        elif current and line.strip():
            texts[current] = f"{texts[current]} {line.strip()}".strip()
    return texts

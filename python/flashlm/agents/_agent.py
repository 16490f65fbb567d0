# SPDX-License-Identifier: Apache-2.0
"""_agent.py: a model that calls Python functions until it knows the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flashlm import _core
from flashlm._core import ArgumentError
from flashlm._engine import checks
from flashlm._engine.checked_calls import checked
from flashlm._engine.generation_options import SAMPLING
from flashlm._speaker import Speaker
from flashlm.agents._agent_model import AgentModel, ChatFunction, FunctionModel, SpeakerModel
from flashlm.agents._step import Step, parse_step
from flashlm.agents._tool import Tool, runner
from flashlm.chat.tool_calls import warn_of_left


class Agent:
    """A model that calls tools until it knows the answer to a task.

    What the model does wrong (a text that is no call, arguments that do not fit) and what a tool
    raises is told to the model, which tries again. Errors of the model itself are raised; the step
    can then be tried again. Not thread-safe. Keywords of a tool's schema that no grammar knows are
    left to the tool, with one warning that names them.

    Args:
        model: A model or a session; or a function that stands for one: messages and a JSON schema
            in, a text out.
        tools: Tools, or typed functions with docstrings.
        instructions: Added to the system message.
        max_steps: Of a task; in the last one the model is asked for its answer.
        min_calls: Calls that must give a result before a constrained model can answer; small models
            answer too soon.
        max_tokens: Generated in a task; 0 for no limit.
        max_seconds: Of a task; 0 for no limit.
        observation_tokens: Longer results of tools are cut, with a note.
        max_new_tokens: Of one text of the model.
        constrained: The model can write nothing but a call that fits.
        **sampling: How the model draws: the options of ``generate`` from ``temperature`` to
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

    @checked("agent")
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
        self.tools: list[Tool] = [
            tool if isinstance(tool, Tool) else Tool.of(tool) for tool in tools
        ]
        for name, value in {
            "max_steps": max_steps,
            "observation_tokens": observation_tokens,
        }.items():
            _check_count(name, value, 1)
        for name, value in {
            "min_calls": min_calls,
            "max_tokens": max_tokens,
            "max_new_tokens": max_new_tokens,
        }.items():
            _check_count(name, value, 0)
        unknown = sampling.keys() - set(SAMPLING)
        if unknown:
            raise ArgumentError(f"[agent] options: unknown {', '.join(sorted(unknown))}.")
        asked: AgentModel = (
            SpeakerModel(model, max_new_tokens, sampling)
            if isinstance(model, Speaker)
            else FunctionModel(model)
        )
        self._native = _core.Agent(
            asked.answer,
            asked.count_tokens,
            asked.context,
            [
                (
                    tool.name,
                    tool.description,
                    checks.json_text(tool.parameters, f"{tool.name}.parameters", where="agent"),
                    runner(tool),
                )
                for tool in self.tools
            ],
            instructions=instructions,
            max_steps=max_steps,
            min_calls=min_calls,
            max_tokens=max_tokens,
            max_seconds=max_seconds,
            observation_tokens=observation_tokens,
            max_new_tokens=max_new_tokens,
            constrained=constrained,
        )
        warn_of_left(tuple(self._native.left_to_tools))

    @checked("agent")
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
        return None if step is None else parse_step(*step)

    def __iter__(self) -> Iterator[Step]:
        while (step := self.next()) is not None:
            yield step

    @checked("agent")
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
        """``idle``, ``running``, ``answered``, or what ran out.

        That is ``out_of_steps``, ``out_of_tokens`` or ``out_of_time``.

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
        return [parse_step(*step) for step in self._native.steps()]

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

    @checked("agent")
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
        self._native.load(checks.json_text(saved, "saved", where="agent"))

    def __repr__(self) -> str:
        return f"<flashlm.Agent: {self.status}, {len(self.tools)} tools>"


def _check_count(name: str, value: object, least: int) -> None:
    checks.whole(value, name, where="agent", least=least, most=checks.MOST_32_BITS)

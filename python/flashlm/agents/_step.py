# SPDX-License-Identifier: Apache-2.0
"""_step.py: what an agent did in one step."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One step of an agent.

    Args:
        number: From 1.
        output: What the model wrote.
        thought: What it said before it acted.
        calls: The tools it called: ``{"id": ..., "name": ..., "arguments": {...}}`` each.
        observations: What came of each call: ``{"call": ..., "tool": ..., "text": ..., "failed":
            ...}``.
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


def parse_step(content: str, text: str) -> Step:
    """A step from the engine's JSON, and how it prints."""
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

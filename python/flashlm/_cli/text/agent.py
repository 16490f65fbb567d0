# SPDX-License-Identifier: Apache-2.0
"""agent.py: ``flashlm agent``: a model that uses tools until it knows the answer."""

from __future__ import annotations

import ast
import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from flashlm import Agent, ArgumentError, Tool, papers
from flashlm._cli.terminal import options, screen

NAME = "agent"
EXAMPLES = options.examples(
    'flashlm agent "What is 17 * 23?" --tool calculate --model model.flash --max-steps 3 -n 96',
    'flashlm agent "Which paper about LLMs is on top today?" --model model.flash --max-steps 6',
)
_MOST_CHARACTERS = 12_000  # of a text that a tool returns
_NO_ANSWERS = (
    "",
    "the answer",
    "the answer to the task",
)  # what small models copy from their instructions
_LONGEST_SUM = 100  # characters that a model may write
_MOST_BITS = 4096  # of a number that is worked with
_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def find_papers(topic: str, num_papers: int = 1) -> str:
    """Finds the top daily papers about a topic: id, title and url of each.

    Args:
        topic: What the papers are about.
        num_papers: How many at most.
    """
    found = papers.find(topic, num_papers)
    return (
        "\n".join(f"{paper.id} {paper.title} {paper.url}" for paper in found) or "There are none."
    )


def read_paper(paper_id: str, first_page: int = 1, last_page: int = 0) -> str:
    """Reads pages of a paper.

    Args:
        paper_id: The arXiv id, such as 2312.11514.
        first_page: The first page.
        last_page: The last page; 0 for the last one there is.
    """
    return papers.read_text(
        papers.download(paper_id), first_page, last_page or None, _MOST_CHARACTERS
    )


def read_file(path: str, first_page: int = 1, last_page: int = 0) -> str:
    """Reads pages of a PDF file on this machine.

    Args:
        path: The file.
        first_page: The first page.
        last_page: The last page; 0 for the last one there is.
    """
    return papers.read_text(path, first_page, last_page or None, _MOST_CHARACTERS)


def calculate(expression: str) -> str:
    """Works out a sum such as (3 + 4) * 2.5.

    Args:
        expression: Numbers, + - * / // % and brackets.
    """
    try:
        return str(_value(ast.parse(expression.strip(), mode="eval").body))
    except (
        SyntaxError,
        RecursionError,
        MemoryError,
        ValueError,
        ZeroDivisionError,
        OverflowError,
    ) as error:
        raise ArgumentError(f"[calculate] expression: {error} ({expression[:80]!r}).") from error


def _value(node: ast.AST) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value: float = node.value  # type: ignore[assignment]
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        value = _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        value = _OPERATORS[type(node.op)](_value(node.operand))
    else:
        raise ValueError("expected numbers, + - * / // % and brackets")
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise OverflowError("expected a shorter number")
    return value


TOOLS: dict[str, Callable[..., str]] = {
    function.__name__: function for function in (find_papers, read_paper, read_file, calculate)
}
_DEFAULT = ("find_papers", "read_paper", "calculate")


def main(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to find out.")],
    *,
    tool: Annotated[
        list[str] | None,
        typer.Option(
            "--tool",
            metavar="NAME",
            help=f"May be used: {', '.join(TOOLS)}. By default {', '.join(_DEFAULT)}.",
        ),
    ] = None,
    max_steps: Annotated[
        int, typer.Option("--max-steps", metavar="N", help="Ends after so many steps.")
    ] = 10,
    min_calls: Annotated[
        int,
        typer.Option(
            "--min-calls", metavar="N", help="Calls that must give a result before an answer."
        ),
    ] = 1,
    model: options.Model = None,
    memory: options.Memory = "auto",
    context: options.FullContext = None,
    threads: options.Threads = None,
    max_new_tokens: options.MaxNewTokens = 512,
    temperature: options.Temperature = 0.0,
    seed: options.Seed = 0,
    kv_store: options.KvStore = True,
    json: options.Json = False,
) -> None:
    """Answers a question with tools: thinks, acts, looks at what came, and goes on until it knows.

    Steps go to stderr, the answer to stdout. Exit code 1 if there is none, if it came only because
    the steps were used up, or if no call gave a result. Take a model of some billions of
    parameters: the demo's calls tools, and answers nonsense.
    """
    functions = _chosen(tool or _DEFAULT)
    if model is None:
        screen.tell("The demo's model is too small for most questions; --model takes a larger one.")
    with screen.progress_bar() as progress:
        lm = options.open_model(
            model,
            memory=memory,
            context=context,
            threads=threads,
            kv_store=kv_store,
            progress=progress,
        )
    with lm:
        agent = Agent(
            lm,
            functions,
            max_steps=max_steps,
            min_calls=min_calls,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            seed=seed,
        )
        agent.start(question)
        steps = []
        for step in agent:
            steps.append(
                {name: value for name, value in vars(step).items() if not name.startswith("_")}
            )
            screen.err.print(str(step), style="dim", markup=False)
        answer, status = agent.answer, agent.status
    problem = _problem(answer, status, steps, max_steps)
    if json:
        told = {
            "question": question,
            "answer": answer,
            "status": status,
            "problem": problem,
            "steps": steps,
        }
        screen.print_json(told)
    elif answer is not None and not _is_none(answer):
        screen.out.print(answer, markup=False)
    if problem is not None:
        screen.err.print(problem, style="yellow", markup=False)
        raise typer.Exit(1)


def _is_none(answer: str) -> bool:
    return answer.strip(" .").lower() in _NO_ANSWERS


def _problem(
    answer: str | None, status: str, steps: Sequence[Mapping[str, Any]], max_steps: int
) -> str | None:
    """Why an answer is none, or not to be relied on; None where it is one."""
    if answer is None:
        return (
            f"No answer: {status.replace('_', ' ')}. --max-steps allows more steps, -n longer ones."
        )
    if _is_none(answer):
        return f"No answer: the model wrote {answer!r}. A larger model may know better."
    seen = [observation for step in steps for observation in step["observations"]]
    if seen and all(observation["failed"] for observation in seen):
        return "Not to be relied on: every call failed, so that the answer is of no tool."
    if len(steps) >= max_steps:
        return (
            f"Not to be relied on: the model was made to answer after {max_steps} steps. "
            "--max-steps allows more."
        )
    return None


def _chosen(names: Sequence[str]) -> list[Tool | Callable[..., str]]:
    for name in names:
        if name not in TOOLS:
            raise ArgumentError(f"[agent] tool: expected one of {', '.join(TOOLS)}, got {name!r}.")
    return [
        _short(TOOLS[name]) if name == "calculate" else TOOLS[name] for name in dict.fromkeys(names)
    ]


def _short(function: Callable[..., str]) -> Tool:
    """The tool with a bound on its texts: a small model does not end a sum by itself."""
    tool = Tool.of(function)
    properties = {
        key: {**value, "maxLength": _LONGEST_SUM}
        for key, value in tool.parameters["properties"].items()
    }
    return dataclasses.replace(tool, parameters={**tool.parameters, "properties": properties})

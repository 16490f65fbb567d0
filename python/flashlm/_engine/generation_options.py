# SPDX-License-Identifier: Apache-2.0
"""generation_options.py: how a text is continued and a conversation answered.

Each option is said once.

Names, defaults and ranges are those of the engine's table (include/flashlm/text/options.hpp); types
are here.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ForwardRef, TypeVar

from typing_extensions import TypedDict

from flashlm import _core
from flashlm._engine import checks

JsonSchema = Mapping[str, Any] | bool | str
"""A schema, or its text."""

_WHERE = "language_model"  # what errors call it
_TABLE = {option["name"]: option for option in _core.GENERATION_OPTIONS}
_Function = TypeVar("_Function", bound=Callable[..., Any])


class GenerationOptions(TypedDict, total=False):
    """What `generate`, `stream`, `chat` and `stream_chat` have in common."""

    max_new_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    seed: int | None
    stop: str | Sequence[str] | None
    on_prefill: Callable[[int, int], None] | None


class TextOptions(GenerationOptions, total=False):
    """What `generate` and `stream` take."""

    parse_special: bool
    add_special: bool
    json_schema: JsonSchema | None


class ChatOptions(GenerationOptions, total=False):
    """What `chat` and `stream_chat` take."""

    tools: Sequence[Mapping[str, Any]] | None
    documents: Sequence[Mapping[str, Any]] | None
    response_format: Mapping[str, Any] | None
    template_variables: Mapping[str, Any] | None
    continue_final_message: bool


SAMPLING = tuple(
    name for name, option in _TABLE.items() if isinstance(option["default"], (int, float))
)[1:7]
"""The options that say how tokens are drawn: all numbers but how many."""
_COMMON = {
    name: () if name == "stop" else _TABLE[name]["default"]
    for name in GenerationOptions.__annotations__
}
TEXT_DEFAULTS: dict[str, Any] = {
    **_COMMON,
    "parse_special": _TABLE["parse_special"]["default"],
    "add_special": _TABLE["add_special"]["default"],
    "json_schema": None,
}
CHAT_DEFAULTS: dict[str, Any] = {
    **_COMMON,
    "max_new_tokens": 512,
    **dict.fromkeys(("tools", "documents", "response_format", "template_variables")),
    "continue_final_message": False,
}


def takes(kind: type, defaults: Mapping[str, Any]) -> Callable[[_Function], _Function]:
    """Shows a function's options, with types and defaults, in place of ``**options``.

    That is what those see who ask for its signature.

    Args:
        kind: TextOptions or ChatOptions.
        defaults: What the options are where a call does not say.

    Returns:
        A decorator.

    Example:
        >>> import inspect
        >>> inspect.signature(lm.stream).parameters["top_p"].default
        1.0
    """

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        first = [
            one
            for one in signature.parameters.values()
            if one.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        named = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=value,
                annotation=_annotation(kind, name),
            )
            for name, value in defaults.items()
        ]
        function.__signature__ = signature.replace(parameters=[*first, *named])  # type: ignore[attr-defined]
        return function

    return decorate


def complete(
    options: Mapping[str, Any], defaults: Mapping[str, Any], function: str
) -> dict[str, Any]:
    """The options of a call with the defaults of those that it does not name.

    Raises:
        TypeError: A name that the function does not know.
    """
    for name in options:
        if name not in defaults:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
    return {**defaults, **options}


def checked_common(options: Mapping[str, Any]) -> dict[str, Any]:
    """What all have in common, as the engine takes it.

    Ranges of fractions are the sampler's to check.

    Raises:
        ArgumentError: A value of another kind, or a whole number outside its range.
    """
    return {name: _checked(name, options[name]) for name in GenerationOptions.__annotations__}


def _checked(name: str, value: object) -> Any:
    option = _TABLE[name]
    if name == "seed" and value is None:
        return secrets.randbits(64)
    if name == "stop":
        return [] if value is None else checks.texts(value, name, where=_WHERE)
    if name == "on_prefill":
        return checks.callback(value, name, where=_WHERE)
    if isinstance(option["default"], float):
        return checks.number(value, name, where=_WHERE)
    return checks.whole(value, name, where=_WHERE, least=option["least"], most=option["most"])


def _annotation(kind: type, name: str) -> str:
    annotation = kind.__annotations__[name]
    return annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else str(annotation)

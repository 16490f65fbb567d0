# SPDX-License-Identifier: Apache-2.0
"""question.py: what smolagents asks of a model, in the words of ``stream_chat``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from smolagents.models import get_tool_json_schema

from flashlm._core import ArgumentError
from flashlm.smolagents.messages import fitted, plain_messages
from flashlm.speaker import Speaker
from flashlm.tool_calls import call_schema

if TYPE_CHECKING:
    from flashlm.smolagents.model import FlashModel

_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed")
_TOOL_CHOICES = ("required", "auto", "none")
_ANSWER_SHARE = 4  # of the context, one part at most is kept free for the answer where results of tools are cut


class Question:
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
        self._messages = plain_messages(messages, conversions)
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

    def messages(self, speaker: Speaker) -> list[dict[str, str]]:
        """The conversation as the template takes it. Where it is too long, results of tools are cut, with a note."""
        variables = self.arguments.get("template_variables", {})
        tools = self.arguments.get("tools")
        tokenizer = speaker.tokenizer

        def count(text: str) -> int:
            return len(tokenizer.encode_parts([(text, False)]))

        def count_prompt(messages: list[dict[str, str]]) -> int:
            parts = speaker.chat_template.render_parts(messages, tokenizer.special_tokens, tools=tools, **variables)
            return len(tokenizer.encode_parts(parts))

        answer = min(self.arguments["max_new_tokens"], speaker.context // _ANSWER_SHARE)
        return fitted(self._messages, speaker.context - answer, count, count_prompt)

    def on_prefill(self, done: int, total: int) -> None:
        """Told how far the prompt is; the first total is that of the prompt, later ones are of forced tokens."""
        self.computed = self.computed or total
        if self._told is not None:
            self._told(done, total)


def sampling_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of sampling in our words; others are refused."""
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
        check_tool_choice(settings["tool_choice"])
    return {**settings, **sampling_of({key: value for key, value in given.items() if key not in own})}


def check_tool_choice(choice: Any) -> None:
    """Refuses what is no tool choice."""
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

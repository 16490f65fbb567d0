# SPDX-License-Identifier: Apache-2.0
"""_question.py: what smolagents asks of a model, in the words of ``stream_chat``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import smolagents.models

from flashlm._core import ArgumentError
from flashlm._engine import checks
from flashlm._engine.generation_options import SAMPLING
from flashlm._engine.warnings import warn
from flashlm._speaker import Speaker
from flashlm.chat.tool_calls import call_schema
from flashlm.smolagents._messages import fitted, plain_messages

if TYPE_CHECKING:
    from flashlm.smolagents._model import FlashModel

_SETTINGS = (
    "max_new_tokens",
    "max_tokens",
    "tool_choice",
    "parallel_tool_calls",
    "template_variables",
)
_TOOL_CHOICES = ("required", "auto", "none")
_MAX_NEW_TOKENS = 1024
# What TransformersModel passes to transformers, and what means nothing here.
_IGNORED = (
    *(
        "device_map",
        "torch_dtype",
        "dtype",
        "trust_remote_code",
        "model_kwargs",
        "attn_implementation",
    ),
    *("low_cpu_mem_usage", "use_cache", "pad_token_id"),
)
REMOVED = getattr(smolagents.models, "REMOVE_PARAMETER", None)
"""A setting of the model that is this takes the same setting from every call."""
_ANSWER_SHARE = (
    4  # of the context, one part at most is kept free for the answer where results of tools are cut
)


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
        given = without_ignored(kwargs)
        conversions = given.pop("custom_role_conversions", None)
        variables = given.pop("template_variables", None)
        for name in ("flatten_messages_as_text", "convert_images_to_image_urls"):
            given.pop(name, None)
        for index, tool in enumerate(tools or ()):
            if not hasattr(tool, "inputs"):
                checks.refuse(
                    "smolagents", f"tools_to_call_from[{index}]", "a tool of smolagents", tool
                )
        settings = model._prepare_completion_kwargs(  # noqa: SLF001 - its own; the messages are made plain below
            messages=[], stop_sequences=stop_sequences, response_format=response_format,
            tools_to_call_from=list(tools or ()) or None, **given,
        )  # fmt: skip
        del settings["messages"]
        conversions = {**model.custom_role_conversions, **(conversions or {})}
        # smolagents asks some models with no messages at all.
        self._messages = plain_messages(messages or [{"role": "user", "content": ""}], conversions)
        stop = list(settings.pop("stop", None) or ())
        response_format = settings.pop("response_format", None)
        choice = settings.pop("tool_choice", None) or "auto"
        several = settings.pop("parallel_tool_calls", False)
        schemas = _chosen(settings.pop("tools", None) or [], choice)
        self.tool_names = [schema["function"]["name"] for schema in schemas]
        self.is_free = choice == "auto"  # to write what it likes, and calls in it
        for name in ("max_new_tokens", "max_tokens"):
            settings.pop(name, None)
        self.arguments: dict[str, Any] = {
            "max_new_tokens": most_tokens(given, model.kwargs),
            "template_variables": {**model.template_variables, **(variables or {})},
            **sampling_of(settings),
        }
        if schemas:
            self.arguments["tools"] = schemas
            if response_format is None and not self.is_free:
                schema = call_schema(
                    schemas,
                    name_key=model.tool_name_key,
                    arguments_key=model.tool_arguments_key,
                    several=several,
                )
                response_format = {
                    "type": "json_schema",
                    "json_schema": {"name": "tool_call", "schema": schema},
                }
        if response_format is not None and response_format.get("type") != "text":
            self.arguments["response_format"] = response_format
            stop = []  # a stop text may stand inside the JSON
        self.arguments["stop"] = stop
        self.computed = 0  # tokens of the prompt; known once it is
        self._told = model.told
        self.shown = {
            key: value
            for key, value in self.arguments.items()
            if key not in ("tools", "response_format")
        }

    def messages(self, speaker: Speaker) -> list[dict[str, str]]:
        """The conversation as the template takes it.

        Where it is too long, results of tools are cut, with a note.
        """
        variables = self.arguments.get("template_variables", {})
        tools = self.arguments.get("tools")
        tokenizer = speaker.tokenizer

        def count(text: str) -> int:
            return len(tokenizer.encode_parts([(text, False)]))

        def count_prompt(messages: list[dict[str, str]]) -> int:
            parts = speaker.chat_template.render_parts(
                messages, tokenizer.special_tokens, tools=tools, **variables
            )
            return len(tokenizer.encode_parts(parts))

        answer = min(self.arguments["max_new_tokens"], speaker.context // _ANSWER_SHARE)
        return fitted(self._messages, speaker.context - answer, count, count_prompt)

    def on_prefill(self, done: int, total: int) -> None:
        """Told how far the prompt is.

        The first total is that of the prompt, later ones are of forced tokens.
        """
        self.computed = self.computed or total
        if self._told is not None:
            self._told(done, total)


def sampling_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of sampling in our words; others are refused."""
    settings = {
        name: value for name, value in given.items() if value is not None and value is not REMOVED
    }
    if settings.pop("do_sample", True) is False:
        settings["temperature"] = 0.0
    unknown = sorted(set(settings) - set(SAMPLING))
    if unknown:
        raise ArgumentError(
            f"[smolagents] {unknown[0]}: expected max_new_tokens, tool_choice, do_sample or one of "
            f"{', '.join(SAMPLING)}, got a name that is not known."
        )
    return settings


def without_ignored(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that mean nothing here, with a warning about these."""
    ignored = [name for name in _IGNORED if name in given]
    if ignored:
        warn(
            f"[smolagents] {', '.join(ignored)}: ignored; flashlm runs the model from flash in the "
            f"number format it "
            "is packed in, on the processor."
        )
    return {name: value for name, value in given.items() if name not in ignored}


def most_tokens(given: Mapping[str, Any], own: Mapping[str, Any]) -> Any:
    """As TransformersModel has it: the call's number before the model's, each by either name."""
    for settings in (given, own):
        for name in ("max_new_tokens", "max_tokens"):
            if settings.get(name) is not None and settings[name] is not REMOVED:
                return checks.whole(
                    settings[name], name, where="smolagents", least=0, most=checks.MOST_64_BITS
                )
    return _MAX_NEW_TOKENS


def check_tool_choice(choice: Any) -> None:
    """Refuses what is no tool choice."""
    named = isinstance(choice, Mapping) and isinstance(choice.get("function"), Mapping)
    if (
        not (isinstance(choice, str) and choice in _TOOL_CHOICES)
        and choice is not REMOVED
        and not named
    ):
        checks.refuse(
            "smolagents",
            "tool_choice",
            "'required', 'auto', 'none' or {'function': {'name': ...}}",
            choice,
        )


def _chosen(schemas: list[dict[str, Any]], choice: Any) -> list[dict[str, Any]]:
    """The tools that may be called. A tool may also be chosen by its bare name."""
    names = [schema["function"]["name"] for schema in schemas]
    if not (isinstance(choice, str) and choice in names):
        check_tool_choice(choice)
    if isinstance(choice, str) and choice == "none":
        return []
    if isinstance(choice, str) and choice in _TOOL_CHOICES:
        return schemas
    name = choice["function"].get("name") if isinstance(choice, Mapping) else choice
    if schemas and name not in names:
        raise ArgumentError(
            f"[smolagents] tool_choice: expected one of {', '.join(names)}, got {name!r}."
        )
    return [schema for schema in schemas if schema["function"]["name"] == name]

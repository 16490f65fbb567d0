# SPDX-License-Identifier: Apache-2.0
"""_question.py: what smolagents asks of a model, in the words of ``stream_chat``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import smolagents.models

from flashlm._core import ArgumentError
from flashlm._engine import checks
from flashlm._engine.generation_options import SAMPLING
from flashlm._engine.warnings import warn
from flashlm.chat.request import Request
from flashlm.smolagents._messages import plain_messages

_SETTINGS = (
    "max_new_tokens",
    "max_tokens",
    "tool_choice",
    "parallel_tool_calls",
    "template_variables",
)
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


def request_of(
    model: smolagents.models.Model,
    *,
    messages: Sequence[Any],
    stop_sequences: Sequence[str] | None,
    response_format: Mapping[str, Any] | None,
    tools: Sequence[Any] | None,
    kwargs: Mapping[str, Any],
) -> Request:
    """What smolagents asks of a `FlashModel`, as a request; arguments are those of ``generate``.

    Raises:
        ArgumentError: A message or a setting cannot be used.
    """
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
    plain = plain_messages(messages or [{"role": "user", "content": ""}], conversions)
    stop = list(settings.pop("stop", None) or ())
    form = settings.pop("response_format", None)
    choice = settings.pop("tool_choice", None) or "auto"
    several = settings.pop("parallel_tool_calls", False)
    schemas = settings.pop("tools", None) or []
    for name in ("max_new_tokens", "max_tokens"):
        settings.pop(name, None)
    return Request(
        plain,
        tools=schemas,
        tool_choice=choice,
        several_calls=several,
        response_format=form,
        stop=stop,
        max_new_tokens=most_tokens(given, model.kwargs),
        sampling=sampling_of(settings),
        template_variables={**model.template_variables, **(variables or {})},
        name_key=model.tool_name_key,
        arguments_key=model.tool_arguments_key,
        on_prefill=model.told,
        where="smolagents",
    )


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
    if choice is not REMOVED:
        Request.check_tool_choice(choice, "smolagents")

# SPDX-License-Identifier: Apache-2.0
"""response_format.py: JSON schemas and OpenAI's response formats as grammars."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flashlm._core import ArgumentError, Grammar

JsonSchema = Mapping[str, Any] | bool | str
"""A schema, or its text."""


def grammar_of_schema(schema: JsonSchema) -> Grammar:
    """Returns the grammar of a JSON schema, with properties in their order.

    Args:
        schema: The schema, or its text.

    Returns:
        The grammar of the JSON texts that it allows.

    Raises:
        FormatError: A keyword is not supported, or no text meets the schema.
        ArgumentError: It is no JSON value.

    Example:
        >>> grammar_of_schema({"type": "array", "items": {"type": "integer"}})  # doctest: +ELLIPSIS
        <flashlm._core.Grammar object at ...>
    """
    if isinstance(schema, str):
        return Grammar.from_json_schema(schema)
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False, default=_as_dict)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"[json_schema] schema: expected a JSON value: {error}") from None
    return Grammar.from_json_schema(text)


def grammar_of_format(response_format: Mapping[str, Any] | None) -> Grammar | None:
    """Returns the grammar of a response format in OpenAI's form, or None where any text is good.

    Args:
        response_format: ``{"type": "text"}``, ``{"type": "json_object"}``, or ``{"type": "json_schema", "json_schema":
            {"schema": {...}}}``.

    Returns:
        The grammar of the answers.

    Raises:
        ArgumentError: It is of another form.
        FormatError: The schema is not supported.

    Example:
        >>> grammar_of_format({"type": "text"}) is None
        True
    """
    if response_format is None:
        return None
    if not isinstance(response_format, Mapping):
        raise ArgumentError(f"[response_format] expected a mapping with 'type', got {response_format!r}.")
    kind = response_format.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return grammar_of_schema({"type": "object"})
    if kind != "json_schema":
        raise ArgumentError(f"[response_format] type: expected 'text', 'json_object' or 'json_schema', got {kind!r}.")
    wrapped = response_format.get("json_schema")
    schema = wrapped.get("schema") if isinstance(wrapped, Mapping) else None
    if not isinstance(schema, Mapping | bool):
        raise ArgumentError(f"[response_format] json_schema: expected a mapping with 'schema', got {wrapped!r}.")
    return grammar_of_schema(schema)


def _as_dict(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")

# SPDX-License-Identifier: Apache-2.0
"""_response_format.py: JSON schemas and OpenAI's response formats as grammars."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flashlm._core import ArgumentError, Grammar
from flashlm._engine import checks
from flashlm._engine.generation_options import JsonSchema

_WHERE = "response_format"
_KEYS = {
    "text": ("type",),
    "json_object": ("type", "schema"),
    "json_schema": ("type", "json_schema"),
}
_JSON_SCHEMA_KEYS = ("schema", "name", "description", "strict")


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
    if not isinstance(schema, (Mapping, bool)):
        checks.refuse("json_schema", "schema", "a mapping, True, False or the text of one", schema)
    return Grammar.from_json_schema(checks.json_text(schema, "schema", where="json_schema"))


def grammar_of_format(response_format: Mapping[str, Any] | None) -> Grammar | None:
    """Returns the grammar of a response format in OpenAI's form, or None where any text is good.

    Args:
        response_format: ``{"type": "text"}``; ``{"type": "json_object"}``, with ``"schema": {...}``
            for JSON of that schema, as in llama-cpp-python; or ``{"type": "json_schema",
            "json_schema": {"schema": {...}}}``.

    Returns:
        The grammar of the answers.

    Raises:
        ArgumentError: It is of another form, or has a key that is not known.
        FormatError: The schema is not supported.

    Example:
        >>> grammar_of_format({"type": "text"}) is None
        True
    """
    if response_format is None:
        return None
    if not isinstance(response_format, Mapping):
        checks.refuse(_WHERE, "response_format", "a mapping with 'type'", response_format)
    kind = checks.choice(response_format.get("type"), "type", _KEYS, where=_WHERE)
    _check_keys(response_format, kind, _KEYS[kind])
    if kind == "text":
        return None
    if kind == "json_object":
        return grammar_of_schema(response_format.get("schema", {"type": "object"}))
    wrapped = response_format.get("json_schema")
    if not isinstance(wrapped, Mapping) or not isinstance(wrapped.get("schema"), (Mapping, bool)):
        checks.refuse(_WHERE, "json_schema", "a mapping with 'schema'", wrapped)
    _check_keys(wrapped, "json_schema", _JSON_SCHEMA_KEYS)
    return grammar_of_schema(wrapped["schema"])


def _check_keys(given: Mapping[str, Any], name: str, known: Collection[str]) -> None:
    """Refuses a key that would be ignored."""
    for key in given:
        if key not in known:
            raise ArgumentError(
                f"[{_WHERE}] {name}: expected {', '.join(known)}, got the unknown key "
                f"{checks.shown(key)}."
            )

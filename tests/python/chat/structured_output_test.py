# SPDX-License-Identifier: Apache-2.0
"""Answers that follow a JSON schema: from a random model always valid, from a real one valid tool calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flashlm
from flashlm.chat._response_format import grammar_of_format, grammar_of_schema

NODE = {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/n"}},
    "required": ["v"],
}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object"},
    {"enum": ["a", "b", {"c": [1, None]}]},
    {"type": "array", "items": {"type": "number", "minimum": -2, "maximum": 2}, "minItems": 1, "maxItems": 3},
    {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": ["integer", "null"]}}, "required": ["a"]},
    {"$defs": {"n": NODE}, "$ref": "#/$defs/n"},
    {"type": "object", "additionalProperties": {"type": "string", "maxLength": 4}},
    {"prefixItems": [{"type": "boolean"}, {"type": "string", "minLength": 2}], "minItems": 2},
    {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "array", "items": {"$ref": "#"}}]},
    {"type": "string", "pattern": r"^[A-Z]{2}-\d{3}$", "x-order": 1, "title": "Code", "examples": ["AB-123"]},
    {"type": "integer", "multipleOf": 15, "minimum": 0.5, "exclusiveMaximum": 1000},
    {"type": "number", "minimum": 0.25, "maximum": 0.5},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 2},
    {"allOf": [{"$ref": "#/$defs/base"}, {"properties": {"b": {"type": "null"}}, "required": ["b"]}],
     "$defs": {"base": {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}}},
    {"type": "object", "patternProperties": {"^x-[a-z]$": {"type": "integer"}}, "additionalProperties": False},
    {"oneOf": [{"type": "string", "maxLength": 5}, {"maximum": 0}]},
]  # fmt: skip


@pytest.fixture(scope="session")
def validate(need: Callable[[str], Any]) -> Callable[[Any, dict[str, Any]], None]:
    """The validation of the jsonschema package."""
    jsonschema = need("jsonschema")

    def check(value: Any, schema: dict[str, Any]) -> None:
        jsonschema.Draft202012Validator(schema).validate(value)

    return check


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_a_random_model_writes_what_the_schema_allows(
    lm: flashlm.LanguageModel,
    validate: Callable[[Any, dict[str, Any]], None],
    schema: dict[str, Any],
) -> None:
    for seed in range(8):
        text = lm.generate("x", json_schema=schema, max_new_tokens=60, temperature=2.0, seed=seed)
        validate(json.loads(text), schema)


def test_properties_keep_the_order_of_the_schema(lm: flashlm.LanguageModel) -> None:
    properties = {"thought": {"type": "null"}, "answer": {"type": "null"}}
    schema = {"type": "object", "properties": properties, "required": ["answer", "thought"]}
    assert lm.generate("x", json_schema=schema) == '{"thought": null, "answer": null}'
    assert lm.generate("x", json_schema=json.dumps(schema)) == '{"thought": null, "answer": null}'
    assert "".join(lm.stream("x", json_schema=schema)) == '{"thought": null, "answer": null}'


def test_chat_takes_response_formats(lm: flashlm.LanguageModel) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    assert isinstance(
        json.loads(lm.chat(messages, response_format={"type": "json_object"}, max_new_tokens=40)),
        dict,
    )
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "colour", "strict": True, "schema": {"enum": ["red"]}},
    }
    assert lm.chat(messages, response_format=wanted) == '"red"'
    assert grammar_of_format(None) is None
    assert grammar_of_format({"type": "text"}) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"type": "xml"}, "'xml'"),
        ({}, "None"),
        ("json_object", "'json_object'"),
        ({"type": "json_schema"}, "schema"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "schema"),
    ],
)
def test_a_response_format_of_another_form_is_an_argument_error(wrong: Any, said: str) -> None:
    with pytest.raises(flashlm.ArgumentError, match=said):
        grammar_of_format(wrong)


def test_a_schema_that_is_not_supported_is_a_format_error() -> None:
    with pytest.raises(
        flashlm.FormatError, match=r"#/properties/a: unsupported keyword 'contains'.*Take it out"
    ):
        grammar_of_schema({"properties": {"a": {"type": "array", "contains": {"const": 1}}}})
    with pytest.raises(
        flashlm.FormatError, match=r"#: unsupported keyword 'pattern': .*look-ahead"
    ):
        grammar_of_schema({"type": "string", "pattern": "(?=x)"})
    with pytest.raises(flashlm.FormatError, match="no text can meet"):
        grammar_of_schema(False)
    with pytest.raises(flashlm.ArgumentError, match="JSON value"):
        grammar_of_schema({"const": {1, 2}})


def test_too_few_tokens_are_an_error_that_names_enough(lm: flashlm.LanguageModel) -> None:
    with pytest.raises(flashlm.ArgumentError, match="expected at least"):
        lm.generate("x", json_schema={"const": "a text of some length"}, max_new_tokens=2)


def test_run_writes_json(tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from flashlm._cli import main

    schema = tmp_path / "schema.json"
    schema.write_text(
        '{"type": "object", "properties": {"ok": {"const": true}}, "required": ["ok"]}'
    )
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tiny), "-p", "x", "--json-schema", str(schema)])
    assert not ended.value.code
    assert capfd.readouterr().out == '{"ok": true}\n'


def tool_schemas() -> list[dict[str, Any]]:
    """20 tools, as agents describe them."""
    kinds: list[dict[str, Any]] = [
        {"type": "string"},
        {"type": "integer", "minimum": 0, "maximum": 100},
        {"type": "boolean"},
        {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        {"enum": ["day", "week", "month"]},
    ]
    schemas = []
    for index in range(20):
        names = ["query", "count", "exact", "tags", "period"]
        used = {
            name: kind
            for at, (name, kind) in enumerate(zip(names, kinds, strict=True))
            if (index + 1) >> at & 1
        }
        arguments = {
            "type": "object",
            "properties": used,
            "required": sorted(used),
            "additionalProperties": False,
        }
        call = {"name": {"const": f"tool_{index}"}, "arguments": arguments}
        schemas.append({"type": "object", "properties": call, "required": ["name", "arguments"]})
    return schemas


@pytest.mark.real
def test_200_tool_calls_by_a_small_model_are_valid(
    real: Path, validate: Callable[[Any, dict[str, Any]], None]
) -> None:
    """SmolLM2-135M: 20 schemas, 10 calls each, greedy and drawn."""
    with flashlm.LanguageModel.from_pretrained(real, memory="100%", context=512) as lm:
        for schema in tool_schemas():
            messages = [
                {
                    "role": "user",
                    "content": f"Call this tool to find papers on memory: {json.dumps(schema)}",
                }
            ]
            for seed in range(10):
                wanted = {"type": "json_schema", "json_schema": {"name": "call", "schema": schema}}
                answer = lm.chat(
                    messages,
                    response_format=wanted,
                    max_new_tokens=64,
                    temperature=0.2 * seed,
                    seed=seed,
                )
                validate(json.loads(answer), schema)

# SPDX-License-Identifier: Apache-2.0
"""Random JSON schemas: what a random model writes under one is what the jsonschema package allows, or it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flashlm
from flashlm.chat._response_format import grammar_of_schema

Schema = dict[str, Any]
NAMES = st.sampled_from(["a", "b", "name", "é", 'q"'])


def ranged(
    kind: str, least: str, most: str, numbers: st.SearchStrategy[Any]
) -> st.SearchStrategy[Schema]:
    """A type with one bound, both, or none; some of these hold nothing."""
    return st.builds(
        lambda bounds: {"type": kind, **bounds},
        st.fixed_dictionaries({}, optional={least: numbers, most: numbers}),
    )


PATTERNS = [
    r"^\d+$",
    r"[a-c]{2}",
    r"^(a|b\.)*c?$",
    r"^\S+@\S+$",
    "é",
    r"\W",
    r"^[^\w]{1,3}$",
    r'^"\\',
    "^.{0,4}$",
]
"""Regular expressions as schemas have them."""

LEAVES: st.SearchStrategy[Schema] = st.one_of(
    st.just({}),
    st.sampled_from([{"type": name} for name in ("string", "integer", "number", "boolean", "null")]),
    st.just({"type": ["integer", "null"]}),
    ranged("string", "minLength", "maxLength", st.integers(0, 6)),
    ranged("integer", "minimum", "maximum", st.integers(-1000, 1000)),
    ranged("number", "minimum", "maximum", st.integers(-30, 30) | st.floats(-3, 3).map(lambda x: round(x, 2))),
    st.lists(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3), min_size=1, max_size=3).map(
        lambda values: {"enum": values}
    ),
    st.text(max_size=4).map(lambda value: {"const": value}),
    st.fixed_dictionaries({"type": st.just("string"), "pattern": st.sampled_from(PATTERNS)},
                          optional={"minLength": st.integers(0, 4), "maxLength": st.integers(2, 9)}),
    st.builds(lambda least, by: {"type": "integer", "minimum": least, "multipleOf": by},
              st.integers(-99, 99), st.integers(1, 40)),
    st.sampled_from([{"minimum": 0}, {"maxLength": 2}, {"minItems": 1}, {"required": ["a"]}, {"x-vendor": 1}]),
)  # fmt: skip


def nested(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    """Arrays, objects and alternatives of schemas."""
    arrays = st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={"items": inner, "minItems": st.integers(0, 3), "maxItems": st.integers(0, 4),
                  "prefixItems": st.lists(inner, min_size=1, max_size=2)},
    )  # fmt: skip
    objects = st.builds(
        lambda properties, required, more: {
            "type": "object",
            "properties": properties,
            "required": sorted(set(required)),
            **more,
        },
        st.dictionaries(NAMES, inner, max_size=3),
        st.lists(NAMES, max_size=2),
        st.fixed_dictionaries({}, optional={
            "additionalProperties": st.booleans() | inner,
            "patternProperties": st.dictionaries(st.sampled_from(PATTERNS), inner, max_size=2),
            "propertyNames": st.just({"maxLength": 4}),
            "minProperties": st.integers(0, 2),
            "maxProperties": st.integers(1, 3),
            "dependentRequired": st.just({"a": ["b"]}),
        }),
    )  # fmt: skip
    unique = st.lists(st.integers(0, 9) | st.text(max_size=1), min_size=1, max_size=9).map(
        lambda values: {"type": "array", "items": {"enum": values}, "uniqueItems": True}
    )
    several = st.lists(inner, min_size=1, max_size=3)
    joined = st.builds(
        lambda word, parts, beside: {**beside, word: parts},
        st.sampled_from(["anyOf", "oneOf", "allOf"]),
        several,
        inner,
    )
    conditions = st.builds(
        lambda one, then, other: {"if": one, "then": then, "else": other}, inner, inner, inner
    )
    opposites = st.builds(lambda beside, one: {**beside, "not": one}, inner, inner)
    return st.one_of(arrays, objects, unique, joined, conditions, opposites)


SCHEMAS = st.recursive(LEAVES, nested, max_leaves=8)


@pytest.fixture(scope="module")
def model(tiny: Path) -> Iterator[flashlm.LanguageModel]:
    with flashlm.LanguageModel.from_pretrained(tiny, memory="100%") as lm:
        yield lm


@settings(max_examples=120)
@given(schema=SCHEMAS, seed=st.integers(0, 1000))
def test_what_is_written_under_a_random_schema_is_valid(
    model: flashlm.LanguageModel, need: Callable[[str], Any], schema: Schema, seed: int
) -> None:
    try:
        grammar_of_schema(schema)
    except flashlm.FormatError:
        return  # a keyword that is not supported, or nothing meets it
    try:
        text = model.generate(
            "x", json_schema=schema, max_new_tokens=100, temperature=2.0, seed=seed
        )
    except flashlm.ArgumentError:
        return  # its shortest text is longer
    need("jsonschema").Draft202012Validator(schema).validate(json.loads(text))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 10**9},
        {"type": "array", "items": {"type": "null"}, "minItems": 10**7},
        {
            "type": "array",
            "minItems": 300,
            "items": {"type": "array", "minItems": 300, "items": {"const": "long"}},
        },
        {"const": "x" * 70_000},
    ],
    ids=["long", "many", "nested", "constant"],
)
def test_a_schema_whose_shortest_text_is_huge_is_refused_at_once(
    model: flashlm.LanguageModel, schema: Schema
) -> None:
    with pytest.raises((flashlm.FormatError, flashlm.ArgumentError)):
        model.generate("x", json_schema=schema, max_new_tokens=50)

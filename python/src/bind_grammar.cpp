// SPDX-License-Identifier: Apache-2.0
/// bind_grammar.cpp: flashlm.Grammar, and what of a JSON schema has a grammar.
#include <memory>
#include <string>
#include <utility>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <nlohmann/json.hpp>

#include "flashlm/text/grammar/grammar.hpp"
#include "flashlm/text/grammar/json_schema_subset.hpp"

namespace py = pybind11;
using namespace py::literals;
using flashlm::text::Grammar;

void bind_grammar(py::module_& module) {
  py::class_<Grammar, std::shared_ptr<Grammar>>(module, "Grammar", R"(Which texts a model may write.

Example:
    >>> grammar = flashlm.Grammar.from_json_schema('{"enum": ["red", "green"]}')
    >>> lm._native.generate("The leaf is", grammar=grammar) in {'"red"', '"green"'}
    True)")
      .def_static(
          "from_json_schema",
          [](const std::string& schema) { return Grammar::from_json_schema(schema); }, "schema"_a,
          py::call_guard<py::gil_scoped_release>(), R"(The JSON texts that a schema allows.

Properties come in the order of the schema, with one space after each comma and colon.

Args:
    schema: A JSON schema (draft 2020-12) as text. "{}" is any JSON.

Returns:
    The grammar; any number of texts may share it.

Raises:
    FormatError: A keyword is not supported, which the message names with its place, or nothing
        meets the schema.

Example:
    >>> flashlm.Grammar.from_json_schema('{"type": "array", "contains": {}}')  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    flashlm.FormatError: [json_schema] #: unsupported keyword 'contains'...)");
  module.def(
      "known_schema",
      [](const std::string& schema) {
        const flashlm::text::JsonSchemaSubset known = flashlm::text::known_schema(schema);
        return std::pair(
            known.schema.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace),
            known.left);
      },
      "schema"_a, py::call_guard<py::gil_scoped_release>(),
      R"(A tool's JSON schema without what grammars do not know.

Args:
    schema: The schema as text.

Returns:
    A schema that has a grammar and allows all that the other one allows, as text; and what it does
    not say, such as "'contains' at #/properties/tags".

Raises:
    FormatError: It is not JSON.

Example:
    >>> flashlm._core.known_schema('{"type": "array", "contains": {}}')
    ('{"type":"array"}', ["'contains' at #"]))");
}

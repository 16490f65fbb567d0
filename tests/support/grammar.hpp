// SPDX-License-Identifier: Apache-2.0
/// grammar.hpp: texts of a grammar, and a validator of JSON schemas that shares no code with the
/// grammars.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/random.hpp"
#include "flashlm/text/grammar/automaton/grammar_states.hpp"
#include "flashlm/text/grammar/grammar.hpp"

namespace support {

/// Whether `text` is one of the grammar.
inline bool matches(const flashlm::text::Grammar& grammar, std::string_view text) {
  flashlm::text::GrammarStates states(grammar.rules());
  flashlm::text::GrammarStates::State at = states.start();
  for (const char byte : text) at = states.next(at, static_cast<unsigned char>(byte));
  return states.may_end(at);
}

inline bool matches(std::string_view schema, std::string_view text) {
  return matches(flashlm::text::Grammar::from_json_schema(schema), text);
}

/// A text of the grammar by random bytes, that takes the shortest way to an end after about
/// `longest` bytes.
inline std::string random_text(const flashlm::text::Grammar& grammar, flashlm::Random& random,
                               std::size_t longest) {
  flashlm::text::GrammarStates states(grammar.rules());
  flashlm::text::GrammarStates::State at = states.start();
  std::string text;
  while (text.size() < longest) {
    std::vector<unsigned char> bytes;
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (states.next(at, static_cast<unsigned char>(byte)) !=
          flashlm::text::GrammarStates::kDead) {
        bytes.push_back(static_cast<unsigned char>(byte));
      }
    }
    if (bytes.empty() || (states.may_end(at) && random.next() % 4 == 0)) break;
    // Quotes and brackets are rare among bytes, and texts without them say little.
    const unsigned char byte =
        bytes[random.next() %
              (random.next() % 2 == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 4))];
    text += static_cast<char>(byte);
    at = states.next(at, byte);
  }
  return text + states.shortest(at);
}

/// Characters of UTF-8.
inline std::size_t n_characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

/// Whether a value meets a schema of the subset that grammars know, as the specification reads it.
inline bool validates(const nlohmann::json& value, const nlohmann::json& schema,
                      const nlohmann::json& root) {
  if (schema.is_boolean()) return schema.get<bool>();
  if (schema.value("nullable", false) && value.is_null()) return true;
  const auto is = [&](const std::string& type) {
    if (type == "integer")
      return value.is_number_integer() ||
             (value.is_number() && value == std::floor(value.get<double>()));
    if (type == "number") return value.is_number();
    return type == value.type_name();
  };
  const auto all = [&](const auto& list, auto&& test) {
    return std::all_of(list.begin(), list.end(), test);
  };
  const auto good = [&](const auto& part) { return validates(value, part, root); };
  bool result = true;
  for (const auto& [key, is_said] : schema.items()) {
    const nlohmann::json& said = is_said;
    if (key == "type" && said.is_string()) result = result && is(said);
    if (key == "type" && said.is_array())
      result = result && std::any_of(said.begin(), said.end(), is);
    if (key == "$ref") {
      result =
          result && good(root.at(nlohmann::json::json_pointer(said.get<std::string>().substr(1))));
    }
    if (key == "const") result = result && value == said;
    if (key == "enum") result = result && std::find(said.begin(), said.end(), value) != said.end();
    if (key == "anyOf") result = result && std::any_of(said.begin(), said.end(), good);
    if (key == "oneOf") result = result && std::count_if(said.begin(), said.end(), good) == 1;
    if (key == "allOf") result = result && all(said, good);
    if (value.is_number()) {
      if (key == "minimum") result = result && value >= said;
      if (key == "maximum") result = result && value <= said;
      if (key == "exclusiveMinimum") result = result && value > said;
      if (key == "exclusiveMaximum") result = result && value < said;
    }
    if (value.is_string()) {
      if (key == "minLength") result = result && n_characters(value) >= said.get<std::size_t>();
      if (key == "maxLength") result = result && n_characters(value) <= said.get<std::size_t>();
    }
    if (value.is_array()) {
      const std::size_t n_first = schema.contains("prefixItems") ? schema["prefixItems"].size() : 0;
      if (key == "minItems") result = result && value.size() >= said.get<std::size_t>();
      if (key == "maxItems") result = result && value.size() <= said.get<std::size_t>();
      for (std::size_t index = 0; index < value.size(); ++index) {
        if (key == "prefixItems" && index < n_first)
          result = result && validates(value[index], said[index], root);
        if (key == "items" && index >= n_first)
          result = result && validates(value[index], said, root);
      }
    }
    if (!value.is_object()) continue;
    if (key == "required")
      result = result && all(said, [&](const auto& name) { return value.contains(name); });
    const nlohmann::json properties = schema.value("properties", nlohmann::json::object());
    for (const auto& [name, member] : value.items()) {
      if (key == "properties" && said.contains(name))
        result = result && validates(member, said[name], root);
      if (key == "additionalProperties" && !properties.contains(name))
        result = result && validates(member, said, root);
    }
  }
  return result;
}

/// Schemas of tool calls and structured outputs: flat, nested, recursive, with bounds and
/// alternatives.
inline std::vector<std::string> example_schemas() {
  return {
      R"({})",
      R"({"type": "object"})",
      R"({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4})",
      R"({"type": ["string", "null"], "maxLength": 5})",
      R"({"type": "integer", "minimum": -17, "maximum": 230})",
      R"({"type": "number", "exclusiveMinimum": 0, "maximum": 1})",
      R"({"enum": ["red", "green", "gr\u00fcn", 3, null, [1, {"a": 2.5}]]})",
      R"({"type": "object", "properties": {"name": {"const": "search"}, "arguments": {"type": "object",
          "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 40}, "limit": {"type": "integer",
          "minimum": 1, "maximum": 10}}, "required": ["query"]}}, "required": ["name", "arguments"]})",
      R"({"anyOf": [
          {"type": "object", "properties": {"name": {"const": "search"}, "arguments": {"type": "object", "properties":
            {"query": {"type": "string"}}, "required": ["query"]}}, "required": ["name", "arguments"]},
          {"type": "object", "properties": {"name": {"const": "read_page"}, "arguments": {"type": "object", "properties":
            {"id": {"type": "string"}, "page": {"type": "integer", "minimum": 1}}, "required": ["id", "page"]}},
            "required": ["name", "arguments"]},
          {"type": "object", "properties": {"name": {"const": "final_answer"}, "arguments": {"type": "object",
            "properties": {"answer": {}}, "required": ["answer"]}}, "required": ["name", "arguments"]}]})",
      R"({"oneOf": [{"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "number"}}, "required": ["kind"],
          "additionalProperties": false}, {"type": "object", "properties": {"kind": {"enum": ["b", "c"]}}, "required":
          ["kind"]}, {"type": "string"}]})",
      R"({"$defs": {"node": {"type": "object", "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{"$ref":
          "#/$defs/node"}, {"type": "null"}]}}, "required": ["value", "next"]}}, "$ref": "#/$defs/node"})",
      R"({"type": "object", "properties": {"text": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"},
          "maxItems": 3}}, "required": ["text"], "additionalProperties": false})",
      R"({"type": "object", "properties": {"a": {"type": "integer"}, "ab": {"type": "null"}}, "additionalProperties":
          {"type": "string", "maxLength": 3}})",
      R"({"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}, "required": ["total"]})",
      R"({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 1})",
      R"({"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "boolean"}, "minItems": 3, "maxItems": 5})",
      R"({"title": "Paper", "type": "object", "properties": {"thought": {"type": "string"}, "title": {"type": "string",
          "maxLength": 60}, "year": {"type": "integer", "minimum": 1990, "maximum": 2030}, "score": {"type": "number",
          "minimum": 0, "maximum": 10}, "tags": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems":
          3}, "open": {"type": "boolean"}, "venue": {"type": "string", "nullable": true}}, "required": ["thought", "title",
          "year", "score", "tags", "open", "venue"], "additionalProperties": false})",
      R"({"allOf": [{"$ref": "#/$defs/c"}], "description": "x", "$defs": {"c": {"enum": ["x", "xy", "xyz"]}}})",
      R"({"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}})",
      R"({"type": "object", "properties": {"op": {"enum": ["and", "or"]}, "of": {"type": "array", "minItems": 1, "items":
          {"anyOf": [{"$ref": "#"}, {"type": "string", "maxLength": 4}]}}}, "required": ["op", "of"]})"};
}

}  // namespace support

// SPDX-License-Identifier: Apache-2.0
/// json.hpp: strict reading of JSON that comes from files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::storage {

/// `text` as a JSON object. `where` names the module and `file` the file in messages.
///
/// Throws FormatError if it is no JSON, no object, nested deeper than 64, or if an object has the same key twice: what
/// one reader takes for the value and what another takes must not differ.
inline nlohmann::json parse_json(std::string_view text, std::string_view where, const std::string& file) {
  constexpr int kDeepest = 64;
  using Json = nlohmann::json;
  std::vector<std::set<std::string>> keys;
  const auto fail = [&](const std::string& what) {
    return FormatError(concat("[", where, "] ", what, " (", file, ")"));
  };
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kDeepest) throw fail(concat("JSON: expected at most ", kDeepest, " levels, got more"));
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) throw fail(concat("JSON: expected each key once, got '", key, "' twice"));
    }
    return true;
  };
  try {
    Json json = Json::parse(text.begin(), text.end(), check);
    if (!json.is_object()) throw fail(concat("JSON: expected an object, got ", json.type_name()));
    return json;
  } catch (const Json::exception& error) {
    throw fail(concat("not JSON: ", error.what()));
  }
}

/// Reads the fields of one JSON object; every problem is a FormatError that names the field and the file.
///
/// Refers to its arguments: they must outlive it.
class JsonFields {
 public:
  /// `path` says where in the file the object stands: "" or "layers[3].".
  JsonFields(const nlohmann::json& object, std::string_view where, std::string path, const std::string& file)
      : object_(object), where_(where), path_(std::move(path)), file_(file) {
    if (!object.is_object()) throw fail("this place", "an object", object);
  }

  bool has(const char* key) const { return object_.contains(key); }

  const nlohmann::json& at(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) throw FormatError(concat("[", where_, "] ", path_, key, " is missing (", file_, ")"));
    return *found;
  }

  std::string text(const char* key) const {
    const nlohmann::json& value = at(key);
    if (!value.is_string()) throw fail(key, "a string", value);
    return value.get<std::string>();
  }

  /// A string that is not empty.
  std::string word(const char* key) const {
    std::string value = text(key);
    if (value.empty()) throw fail(key, "a word", at(key));
    return value;
  }

  bool truth(const char* key) const {
    const nlohmann::json& value = at(key);
    if (!value.is_boolean()) throw fail(key, "true or false", value);
    return value.get<bool>();
  }

  /// A whole number in [0, 2^64); numbers with a point or an exponent are refused.
  std::uint64_t count(const char* key) const {
    const nlohmann::json& value = at(key);
    if (!value.is_number_unsigned()) throw fail(key, "a whole number", value);
    return value.get<std::uint64_t>();
  }

  /// An array of whole numbers.
  std::vector<std::uint64_t> counts(const char* key) const {
    std::vector<std::uint64_t> result;
    for (const nlohmann::json& value : array(key)) {
      if (!value.is_number_unsigned()) throw fail(key, "whole numbers", at(key));
      result.push_back(value.get<std::uint64_t>());
    }
    return result;
  }

  /// An object whose values are strings.
  std::map<std::string, std::string> words() const {
    std::map<std::string, std::string> result;
    for (const auto& [key, value] : object_.items()) {
      if (!value.is_string()) throw fail(key, "a string", value);
      result[key] = value.get<std::string>();
    }
    return result;
  }

  const nlohmann::json& array(const char* key) const {
    const nlohmann::json& value = at(key);
    if (!value.is_array()) throw fail(key, "an array", value);
    return value;
  }

  /// Throws if there is a field that is not in `known`: a misspelt field must not pass for an absent one.
  void only(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : object_.items()) {
      bool found = false;
      for (const std::string_view word : known) found = found || word == key;
      if (!found) throw FormatError(concat("[", where_, "] ", path_, key, " is an unknown field (", file_, ")"));
    }
  }

  /// The error for a field that is there but not what it should be.
  FormatError fail(const char* key, std::string_view expected) const { return fail(key, expected, at(key)); }

 private:
  FormatError fail(std::string_view key, std::string_view expected, const nlohmann::json& value) const {
    std::string shown = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
    return FormatError(
        concat("[", where_, "] ", path_, key, ": expected ", expected, ", got ", shown, " (", file_, ")"));
  }

  const nlohmann::json& object_;
  std::string_view where_;
  std::string path_;
  const std::string& file_;
};

}  // namespace flashlm::inline v0::storage

// SPDX-License-Identifier: Apache-2.0
/// json.ipp: the bodies of json.hpp.
#pragma once

#include "flashlm/storage/format/json.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/io/foreign_file.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

/// What nlohmann's parser tells, as a document. `deepest` 0: any depth, and keys may be repeated.
class JsonReader {
 public:
  JsonReader(std::string_view where, std::string_view file, std::size_t deepest)
      : where_(where), file_(file), deepest_(deepest) {}

  Json document;
  std::string problem;  // of text that is no JSON

  bool null() { return document.add(nullptr), true; }
  bool boolean(bool flag) { return document.add(flag), true; }
  bool number_integer(std::int64_t number) { return document.add(number), true; }
  bool number_unsigned(std::uint64_t number) { return document.add(number), true; }
  bool number_float(double number, const std::string& written) {
    return document.add(number, written), true;
  }
  bool string(const std::string& text) { return document.add(text), true; }
  bool binary(nlohmann::json::binary_t&) { return false; }  // JSON has none
  bool key(const std::string& key) { return document.key(key), true; }
  bool start_object(std::size_t) { return open(JsonKind::object); }
  bool start_array(std::size_t) { return open(JsonKind::array); }
  bool end_array() { return document.close(), true; }

  bool end_object() {
    const std::string* repeated = document.drop_repeated_keys();
    if (repeated != nullptr && deepest_ != 0)
      fail(concat("expected each key once, got '", *repeated, "' twice"));
    document.close();
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) {
    problem = error.what();
    return false;
  }

 private:
  bool open(JsonKind kind) {
    document.open(kind);
    if (deepest_ != 0 && document.depth() > deepest_) {
      fail(concat("expected at most ", deepest_, " levels, got more"));
    }
    return true;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(concat("[", where_, "] JSON: ", what, " (", file_, ")"));
  }

  std::string_view where_;
  std::string_view file_;
  std::size_t deepest_;
};

inline std::string_view name(JsonKind kind) noexcept {
  switch (kind) {
    case JsonKind::null: return "null";
    case JsonKind::flag: return "boolean";
    case JsonKind::count:
    case JsonKind::negative:
    case JsonKind::real: return "number";
    case JsonKind::string: return "string";
    case JsonKind::array: return "array";
    case JsonKind::object: return "object";
  }
  return "?";
}

/// `text` as a JSON object.
FLASHLM_ONCE Json parse_object(std::string_view text, std::string_view where, std::string_view file,
                               std::size_t deepest) {
  JsonReader reader(where, file, deepest);
  // What json::sax_parse calls for JSON; that one compiles the readers of five other formats with
  // it.
  auto parser =
      nlohmann::detail::parser<nlohmann::json, decltype(nlohmann::detail::input_adapter(text))>(
          nlohmann::detail::input_adapter(text));
  if (!parser.sax_parse(&reader)) {
    refuse_foreign(text, FileKind::json, where, file);
    throw FormatError(concat("[", where, "] not JSON: ", reader.problem, " (", file, ")"));
  }
  const JsonKind kind = reader.document.root().kind();
  if (kind != JsonKind::object) {
    throw FormatError(
        concat("[", where, "] JSON: expected an object, got ", name(kind), " (", file, ")"));
  }
  refuse_foreign(text, FileKind::json, where, file);  // a server's error
  return std::move(reader.document);
}

}  // namespace detail

FLASHLM_ONCE Json parse_foreign_json(std::string_view text, std::string_view where,
                                     std::string_view file) {
  return detail::parse_object(text, where, file, 0);
}

FLASHLM_ONCE Json parse_json(std::string_view text, std::string_view where, std::string_view file) {
  constexpr std::size_t kDeepest = 64;
  return detail::parse_object(text, where, file, kDeepest);
}

FLASHLM_ONCE bool JsonField::has(std::string_view key) const {
  return !(*this)[key].value_.is_absent();
}

FLASHLM_ONCE JsonField JsonField::operator[](std::string_view key) const {
  if (!value_.is_object()) wrong("an object");
  return member(key, value_.find(key));
}

FLASHLM_ONCE JsonField JsonField::at(std::size_t index) const {
  JsonValue value = value_.first();
  for (std::size_t left = index; left > 0; --left) value = value.next();
  return element(index, value);
}

FLASHLM_ONCE std::size_t JsonField::array_size() const {
  if (!value_.is_array()) wrong("an array");
  return value_.size();
}

FLASHLM_ONCE std::size_t JsonField::object_size() const {
  if (!value_.is_object()) wrong("an object");
  return value_.size();
}

FLASHLM_ONCE void JsonField::only(std::initializer_list<std::string_view> known) const {
  members([&](const std::string& key, const JsonField& field) {
    bool found = false;
    for (const std::string_view word : known) found = found || word == key;
    if (!found) field.refuse("unknown field");
  });
}

FLASHLM_ONCE const std::string& JsonField::string() const {
  if (!value_.is_string()) wrong("a string");
  return value_.string();
}

FLASHLM_ONCE const std::string& JsonField::word() const {
  if (string().empty()) wrong("a string that is not empty");
  return string();
}

FLASHLM_ONCE bool JsonField::flag() const {
  if (value_.kind() != JsonKind::flag) wrong("true or false");
  return value_.flag();
}

FLASHLM_ONCE std::uint64_t JsonField::count(std::uint64_t least, std::uint64_t most) const {
  if (value_.kind() != JsonKind::count || value_.count() < least || value_.count() > most) {
    wrong(concat("a whole number from ", least, " to ", most));
  }
  return value_.count();
}

FLASHLM_ONCE std::vector<std::uint64_t> JsonField::counts() const {
  std::vector<std::uint64_t> result;
  elements([&](const JsonField& element) { result.push_back(element.count()); });
  return result;
}

FLASHLM_ONCE double JsonField::number() const {
  if (!value_.is_number() || !std::isfinite(value_.number())) wrong("a number");
  return value_.number();
}

FLASHLM_ONCE double JsonField::positive() const {
  if (!value_.is_number() || !std::isfinite(value_.number()) || value_.number() <= 0)
    wrong("a number above 0");
  return value_.number();
}

FLASHLM_ONCE void JsonField::wrong(std::string_view expected, std::string_view hint) const {
  if (value_.is_absent()) refuse(concat("is missing, expected ", expected), hint);
  refuse(concat("expected ", expected, ", got ", shown()), hint);
}

FLASHLM_ONCE void JsonField::refuse(std::string_view problem, std::string_view hint) const {
  throw FormatError(concat("[", where_, "] ", path_.empty() ? "document" : path_,
                           value_.is_absent() ? " " : ": ", problem, " (", file_, ")",
                           hint.empty() ? "" : ". ", hint));
}

FLASHLM_ONCE JsonField JsonField::element(std::size_t index, const JsonValue& value) const {
  return {value, where_, file_, path_ + "[" + std::to_string(index) + "]"};
}

FLASHLM_ONCE JsonField JsonField::member(std::string_view key, const JsonValue& value) const {
  return {value, where_, file_,
          path_.empty() ? std::string(key) : std::string(path_).append(".").append(key)};
}

FLASHLM_ONCE std::string JsonField::shown() const {
  constexpr std::size_t kLongest = 200;  // characters, enough for the regex of a tokenizer
  // A container is only named: to print it would recurse as deeply as the file likes.
  if (value_.is_array() || value_.is_object()) return concat("an ", detail::name(value_.kind()));
  std::string text = value_.dump(-1, /*ascii=*/true);
  return text.size() > kLongest ? text.substr(0, kLongest) + "..." : text;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage

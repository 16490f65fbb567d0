// SPDX-License-Identifier: Apache-2.0
/// json.hpp: reading JSON that comes from files, where every surprise is a FormatError that names
/// the field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/storage/format/json_value.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// `text`, the content of a file of another program, as a JSON object. `where` names the module and
/// `file` the file in messages. Throws FormatError if it is no JSON or no object.
///
/// The object may be nested as deeply as the text likes: walk it with JsonField, do not print it.
/// Of equal keys the last one counts.
Json parse_foreign_json(std::string_view text, std::string_view where, std::string_view file);

/// The same for a file whose bytes flashlm lays down. Throws FormatError also if it is nested
/// deeper than 64, or if an object has the same key twice: what one reader takes for the value and
/// what another takes must not differ.
Json parse_json(std::string_view text, std::string_view where, std::string_view file);

/// A place in a JSON document: its value, and its name for errors. What is not as expected there is
/// a FormatError
/// `[where] path: expected X, got Y (file)`.
///
/// A view: the document, `where` and `file` must outlive it.
class JsonField {
 public:
  /// `path` says where in the file the value stands: "" is the whole document, or "layers[3]".
  JsonField(JsonValue value, std::string_view where, std::string_view file, std::string path = {})
      : value_(value), where_(where), file_(file), path_(std::move(path)) {}

  const JsonValue& value() const noexcept { return value_; }

  /// True for a null, and for a member that is not there.
  bool is_null() const noexcept { return value_.is_null(); }

  /// Whether this object has the member `key`; a null counts.
  bool has(std::string_view key) const;

  /// The member `key` of this object. If it is not there, the result is null, and all that needs a
  /// value throws.
  JsonField operator[](std::string_view key) const;

  /// The element `index` of an array, which must exist.
  JsonField at(std::size_t index) const;

  /// The number of elements of this array.
  std::size_t array_size() const;

  /// Calls `visit(element)` for each element of this array.
  template <class Visit>
  void elements(Visit&& visit) const {
    const std::size_t count = array_size();
    JsonValue value;
    for (std::size_t index = 0; index < count; ++index) {
      value = index == 0 ? value_.first() : value.next();
      visit(element(index, value));
    }
  }

  /// Calls `visit(key, member)` for each member of this object, in the order of the file.
  template <class Visit>
  void members(Visit&& visit) const {
    const std::size_t count = object_size();
    JsonValue value;
    for (std::size_t index = 0; index < count; ++index) {
      value = index == 0 ? value_.first() : value.next();
      visit(value.key(), member(value.key(), value));
    }
  }

  /// Throws if this object has a member that is not in `known`: a misspelt field must not pass for
  /// an absent one.
  void only(std::initializer_list<std::string_view> known) const;

  const std::string& string() const;

  /// The same, or `fallback` for a null.
  std::string string(std::string_view fallback) const {
    return is_null() ? std::string(fallback) : string();
  }

  /// A string that is not empty.
  const std::string& word() const;

  bool flag() const;

  /// The same, or `fallback` for a null.
  bool flag(bool fallback) const { return is_null() ? fallback : flag(); }

  /// A whole number in [least, most]. One with a point or an exponent is refused.
  std::uint64_t count(std::uint64_t least = 0, std::uint64_t most = ~std::uint64_t{0}) const;

  /// An array of whole numbers.
  std::vector<std::uint64_t> counts() const;

  /// A finite number.
  double number() const;

  /// A finite number above 0.
  double positive() const;

  /// `positive`, or `fallback` for a null.
  double positive(double fallback) const { return is_null() ? fallback : positive(); }

  /// Throws the FormatError that `expected` was expected here. `hint` is a sentence.
  [[noreturn]] void wrong(std::string_view expected, std::string_view hint = {}) const;

  /// Throws the FormatError that `problem` is what is wrong here.
  [[noreturn]] void refuse(std::string_view problem, std::string_view hint = {}) const;

 private:
  std::size_t object_size() const;
  JsonField element(std::size_t index, const JsonValue& value) const;
  JsonField member(std::string_view key, const JsonValue& value) const;
  std::string shown() const;

  JsonValue value_;
  std::string_view where_;
  std::string_view file_;
  std::string path_;
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/json.ipp"
#endif

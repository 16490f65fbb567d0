// SPDX-License-Identifier: Apache-2.0
/// json.hpp: reading JSON that comes from files, where every surprise is a FormatError that names the field.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// `text`, the content of a file of another program, as a JSON object. `where` names the module and `file` the file in
/// messages. Throws FormatError if it is no JSON or no object.
///
/// The object may be nested as deeply as the text likes: walk it with JsonField, do not print or copy it.
nlohmann::json parse_foreign_json(std::string_view text, std::string_view where, std::string_view file);

/// The same for a file whose bytes flashlm lays down. Throws FormatError also if it is nested deeper than 64, or if an
/// object has the same key twice: what one reader takes for the value and what another takes must not differ.
nlohmann::json parse_json(std::string_view text, std::string_view where, std::string_view file);

/// A place in a JSON document: its value, and its name for errors. What is not as expected there is a FormatError
/// `[where] path: expected X, got Y (file)`.
///
/// A view: the document, `where` and `file` must outlive it. Json is Json, or nlohmann::ordered_json.
template <class Json>
class BasicJsonField {
 public:
  /// `path` says where in the file the value stands: "" is the whole document, or "layers[3]".
  BasicJsonField(const Json& value, std::string_view where, std::string_view file, std::string path = {})
      : value_(&value), where_(where), file_(file), path_(std::move(path)) {}

  const Json& value() const noexcept { return *value_; }

  /// True for a null, and for a member that is not there.
  bool is_null() const noexcept { return value_->is_null(); }

  /// Whether this object has the member `key`; a null counts.
  bool has(std::string_view key) const { return !(*this)[key].is_absent(); }

  /// The member `key` of this object. If it is not there, the result is null, and all that needs a value throws.
  BasicJsonField operator[](std::string_view key) const {
    if (!value_->is_object()) wrong("an object");
    const auto found = value_->find(std::string(key));
    return member(key, found == value_->end() ? absent() : *found);
  }

  /// The element `index` of an array, which must exist.
  BasicJsonField at(std::size_t index) const {
    return {(*value_)[index], where_, file_, path_ + "[" + std::to_string(index) + "]"};
  }

  /// The number of elements of this array.
  std::size_t array_size() const {
    if (!value_->is_array()) wrong("an array");
    return value_->size();
  }

  /// Calls `visit(element)` for each element of this array.
  template <class Visit>
  void elements(Visit&& visit) const {
    const std::size_t count = array_size();
    for (std::size_t index = 0; index < count; ++index) visit(at(index));
  }

  /// Calls `visit(key, member)` for each member of this object, in their order: nlohmann::json has it by rising key.
  template <class Visit>
  void members(Visit&& visit) const {
    if (!value_->is_object()) wrong("an object");
    for (auto each = value_->begin(); each != value_->end(); ++each)
      visit(each.key(), member(each.key(), each.value()));
  }

  /// Throws if this object has a member that is not in `known`: a misspelt field must not pass for an absent one.
  void only(std::initializer_list<std::string_view> known) const {
    members([&](const std::string& key, const BasicJsonField& field) {
      bool found = false;
      for (const std::string_view word : known) found = found || word == key;
      if (!found) field.refuse("unknown field");
    });
  }

  const std::string& string() const {
    if (!value_->is_string()) wrong("a string");
    return value_->template get_ref<const std::string&>();
  }

  /// The same, or `fallback` for a null.
  std::string string(std::string_view fallback) const { return is_null() ? std::string(fallback) : string(); }

  /// A string that is not empty.
  const std::string& word() const {
    if (string().empty()) wrong("a string that is not empty");
    return string();
  }

  bool flag() const {
    if (!value_->is_boolean()) wrong("true or false");
    return value_->template get<bool>();
  }

  /// The same, or `fallback` for a null.
  bool flag(bool fallback) const { return is_null() ? fallback : flag(); }

  /// A whole number in [least, most]. One with a point or an exponent is refused.
  std::uint64_t count(std::uint64_t least = 0, std::uint64_t most = ~std::uint64_t{0}) const {
    // A number that is not negative is an unsigned one to the parser.
    if (!value_->is_number_unsigned() || value_->template get<std::uint64_t>() < least ||
        value_->template get<std::uint64_t>() > most) {
      wrong(concat("a whole number from ", least, " to ", most));
    }
    return value_->template get<std::uint64_t>();
  }

  /// An array of whole numbers.
  std::vector<std::uint64_t> counts() const {
    std::vector<std::uint64_t> result;
    elements([&](const BasicJsonField& element) { result.push_back(element.count()); });
    return result;
  }

  /// A finite number above 0.
  double positive() const {
    if (!value_->is_number() || !std::isfinite(value_->template get<double>()) || value_->template get<double>() <= 0) {
      wrong("a number above 0");
    }
    return value_->template get<double>();
  }

  /// The same, or `fallback` for a null.
  double positive(double fallback) const { return is_null() ? fallback : positive(); }

  /// Throws the FormatError that `expected` was expected here. `hint` is a sentence.
  [[noreturn]] void wrong(std::string_view expected, std::string_view hint = {}) const {
    if (is_absent()) refuse(concat("is missing, expected ", expected), hint);
    refuse(concat("expected ", expected, ", got ", shown()), hint);
  }

  /// Throws the FormatError that `problem` is what is wrong here.
  [[noreturn]] void refuse(std::string_view problem, std::string_view hint = {}) const {
    throw FormatError(concat("[", where_, "] ", path_.empty() ? "document" : path_, is_absent() ? " " : ": ", problem,
                             " (", file_, ")", hint.empty() ? "" : ". ", hint));
  }

 private:
  /// Stands for members that are not there. Known by its address: a null of a document is another one.
  static const Json& absent() noexcept {
    static const Json kAbsent;
    return kAbsent;
  }

  bool is_absent() const noexcept { return value_ == &absent(); }

  BasicJsonField member(std::string_view key, const Json& value) const {
    return {value, where_, file_, path_.empty() ? std::string(key) : std::string(path_).append(".").append(key)};
  }

  std::string shown() const {
    constexpr std::size_t kLongest = 200;  // characters, enough for the regex of a tokenizer
    // A container is only named: to print it would recurse as deeply as the file likes.
    if (value_->is_structured()) return concat("an ", value_->type_name());
    std::string text = value_->dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
    return text.size() > kLongest ? text.substr(0, kLongest) + "..." : text;
  }

  const Json* value_;
  std::string_view where_;
  std::string_view file_;
  std::string path_;
};

using JsonField = BasicJsonField<nlohmann::json>;

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/json.ipp"
#endif

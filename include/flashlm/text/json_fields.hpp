// SPDX-License-Identifier: Apache-2.0
/// json_fields.hpp: reading fields of a foreign JSON file, where a surprise is a FormatError that names the field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::text {

/// A JSON value and how to name it in an error. A view: the document and the file name must outlive it.
class JsonField {
 public:
  JsonField(const nlohmann::json& value, std::string path, std::string_view file)
      : value_(&value), path_(std::move(path)), file_(file) {}

  const nlohmann::json& value() const noexcept { return *value_; }
  bool is_null() const noexcept { return value_->is_null(); }

  /// The member `key`; a null if it is absent. FormatError if this is no object.
  JsonField operator[](const char* key) const {
    if (!value_->is_object()) wrong("an object");
    const auto found = value_->find(key);
    static const nlohmann::json kAbsent;
    return {found == value_->end() ? kAbsent : *found, path_.empty() ? key : path_ + "." + key, file_};
  }

  /// `member`, a member of this object, under its name.
  JsonField child(const nlohmann::json& member, std::string_view name) const {
    return {member, std::string(path_).append(".").append(name), file_};
  }

  /// The element `index` of an array, which must exist.
  JsonField at(std::size_t index) const { return {(*value_)[index], path_ + "[" + std::to_string(index) + "]", file_}; }

  const std::string& string() const {
    if (!value_->is_string()) wrong("a string");
    return value_->get_ref<const std::string&>();
  }

  bool flag(bool absent) const {
    if (is_null()) return absent;
    if (!value_->is_boolean()) wrong("true or false");
    return value_->get<bool>();
  }

  /// The number of elements. FormatError if this is no array.
  std::size_t array_size() const {
    if (!value_->is_array()) wrong("an array");
    return value_->size();
  }

  /// An integer in [0, end).
  std::int64_t index(std::int64_t end) const {
    if (!value_->is_number_integer()) wrong("an integer");
    const bool too_large =
        value_->is_number_unsigned() && value_->get<std::uint64_t>() >= static_cast<std::uint64_t>(end);
    if (too_large || value_->get<std::int64_t>() < 0 || value_->get<std::int64_t>() >= end) {
      wrong("an integer in [0, " + std::to_string(end) + ")");
    }
    return value_->get<std::int64_t>();
  }

  /// Throws the FormatError that `expected` was expected here.
  [[noreturn]] void wrong(std::string_view expected) const {
    // A container is only named: to print it would recurse as deeply as the file likes.
    std::string got = value_->is_structured() ? value_->type_name() : value_->dump();
    if (got.size() > 200) got = got.substr(0, 200) + "...";
    throw FormatError(concat("[tokenizer] ", path_.empty() ? "document" : path_, ": expected ", expected, ", got ", got,
                             " (", file_, ")"));
  }

 private:
  const nlohmann::json* value_;
  std::string path_;
  std::string_view file_;
};

}  // namespace flashlm::inline v0::text

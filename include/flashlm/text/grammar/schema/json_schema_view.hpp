// SPDX-License-Identifier: Apache-2.0
/// json_schema_view.hpp: reading a JSON schema: its places, keywords, references and types, with
/// errors that name them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/schema/json_schema_resources.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// What is wrong with one keyword of a schema: it is not supported there, or cannot have its value.
class JsonKeywordError : public FormatError {
 public:
  JsonKeywordError(const std::string& message, std::string pointer, std::string keyword);

  const std::string& pointer() const noexcept {
    return pointer_;
  }  // of the schema with the keyword
  const std::string& keyword() const noexcept { return keyword_; }

 private:
  std::string pointer_;
  std::string keyword_;
};

/// A schema that belongs to the caller and must outlive the view. Every problem is a FormatError
/// `[json_schema] #/place: what`.
class JsonSchemaView {
 public:
  using Json = nlohmann::ordered_json;

  using Place = JsonSchemaPlace;

  /// Stands in the pointers of schemas that are made of others, before the keyword that they are
  /// made of.
  static constexpr char kMade = '\x01';

  explicit JsonSchemaView(const Json& root);

  Place root() const { return resources_.place(0); }

  /// Whether a `$ref` makes its neighbours say nothing, as up to draft 7.
  bool reference_hides() const noexcept { return draft_ <= 7; }

  /// Whether something below `place` has an `$id` of its own, which a copy would lose.
  bool has_parts(const Place& place) const;

  [[noreturn]] void refuse(const Place& place, std::string_view problem) const;

  /// A keyword whose value is not as it must be.
  [[noreturn]] void wrong(const Place& place, std::string_view keyword,
                          std::string_view expected) const;

  /// A keyword that grammars do not know, or not here.
  [[noreturn]] void unsupported(const Place& place, std::string_view keyword,
                                std::string_view why = {}) const;

  const Json* find(const Place& place, std::string_view keyword) const;

  /// The value `json` at `key` below `place`. Throws when that is too deep.
  Place down(const Place& place, std::string_view key, const Json& json) const;

  Place at(const Place& place, std::string_view keyword) const;

  /// The elements of the array `keyword`.
  std::vector<Place> elements(const Place& place, std::string_view keyword) const;

  /// The members of the object `keyword`, in their order; none if it is absent.
  std::vector<std::pair<std::string, Place>> members(const Place& place,
                                                     std::string_view keyword) const;

  /// The names in the array `keyword`; none if it is absent.
  std::vector<std::string> names(const Place& place, std::string_view keyword) const;

  /// A whole number of at least 0, or `fallback`.
  std::uint64_t count(const Place& place, std::string_view keyword, std::uint64_t fallback) const;

  bool flag(const Place& place, std::string_view keyword) const;

  const std::string& word(const Place& place, std::string_view keyword) const;

  /// Throws unless `place` is a schema.
  void check(const Place& place) const;

  /// The kinds of values that `type` allows, all if it is absent.
  unsigned kinds(const Place& place) const;

  /// The kind of a value.
  static unsigned kind_of(const Json& value);

  /// What a reference names: "#/a/b", "#anchor", or one of these behind an `$id` of this schema.
  Place resolve(const std::string& reference, const Place& from) const;

  /// A value as text, with one space after each ',' and ':'.
  std::string spelled(const Place& place) const;

  std::string quoted(const Place& place, const std::string& text) const;

 private:
  static constexpr int kDeepest = 64;

  static std::string shown(const Place& place);

  /// The number of the draft that the schema says it is of; of the newest if it says nothing.
  static int draft(const Json& root);

  /// %41 is 'A'.
  static std::string unescaped(std::string_view text);

  int draft_;
  JsonSchemaResources resources_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema_view.ipp"
#endif

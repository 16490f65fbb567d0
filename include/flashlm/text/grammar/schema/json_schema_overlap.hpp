// SPDX-License-Identifier: Apache-2.0
/// json_schema_overlap.hpp: whether a value can meet two schemas at once, which oneOf forbids.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/text/grammar/schema/json_schema_values.hpp"
#include "flashlm/text/grammar/schema/json_schema_view.hpp"
#include "flashlm/text/grammar/schema/json_schema_words.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Compares the alternatives of a oneOf. It says that two are apart only where that is certain:
/// their types differ, they list other values, or both require a property whose schemas are apart.
/// A schema without `type` is met by values of all types, whatever its keywords are about (draft
/// 2020-12, section 7.6.1).
class JsonSchemaOverlap {
 public:
  using View = JsonSchemaView;
  using Json = View::Json;
  using Place = View::Place;

  JsonSchemaOverlap(const View& view, JsonSchemaValues& values) : view_(&view), values_(&values) {}

  /// The schemas that the value meets beside one of the alternatives.
  template <class Parts>
  void begin(const Parts& parts) {
    types_ = kJsonAny;
    about_ = 0;
    sure_ = 0;
    for (const auto& part : parts) {
      types_ &= own_kinds(part.place);
      about_ |= about(part.place, 0);
      sure_ |= own_about(part.place);
    }
  }

  /// The kinds of values that a schema allows, with what it refers to; some that it does not, too.
  unsigned kinds(const Place& place) { return kinds(place, 0); }

  /// Whether no text that the rules write for `one` meets `other`. `place`: where they are
  /// compared, for errors.
  bool apart(const Place& place, const Place& one, const Place& other);

 private:
  static constexpr int kDeepest = 8;
  static constexpr std::size_t kMostCompared = 100'000;

  /// The kinds that a schema's own type and values allow.
  unsigned own_kinds(const Place& place) const;

  /// The kinds that a schema allows, with what it refers to.
  unsigned kinds(const Place& place, int depth);

  /// The kinds that the keywords of a schema are about.
  unsigned own_about(const Place& place) const;

  /// The same with those of what it is made of, all where one of these says a type.
  unsigned about(const Place& place, int depth);

  bool hides(const Place& place) const;

  Place referred(const Place& place) const {
    return view_->resolve(view_->word(place, "$ref"), place);
  }

  std::vector<Place> values(const Place& place) const;

  bool lists_values(const Place& place) const;

  /// `written`: the kinds of the texts that the rules write for `one`.
  bool apart(const Place& one, const Place& other, unsigned written, int depth);

  /// Whether a schema lists values, and none of them meets the other.
  bool all_fail(const Place& lists, const Place& other);

  /// Whether what a schema is made of is apart from another one, by a test of that: all of its
  /// alternatives, or one of those that it joins.
  template <class Test>
  bool parts_apart(const Place& composed, const Test& test) {
    const Json* nullable = view_->find(composed, "nullable");
    if (nullable != nullptr && *nullable == true) return false;
    if (view_->find(composed, "$ref") != nullptr && test(referred(composed))) return true;
    if (hides(composed)) return false;
    for (const char* keyword : {"allOf", "anyOf", "oneOf"}) {
      if (view_->find(composed, keyword) == nullptr) continue;
      const std::vector<Place> parts = view_->elements(composed, keyword);
      const bool joins = std::string_view(keyword) == "allOf";
      if (joins ? std::any_of(parts.begin(), parts.end(), test)
                : std::all_of(parts.begin(), parts.end(), test)) {
        return true;
      }
    }
    return false;
  }

  bool requires_name(const Place& place, const std::string& name) const;

  bool properties_apart(const Place& left, const Place& right, int depth);

  const View* view_;
  JsonSchemaValues* values_;
  unsigned types_ = kJsonAny;  // that the schemas beside the alternatives allow
  unsigned about_ = 0;         // that their keywords, and those of what they are made of, are about
  unsigned sure_ = 0;          // that their own keywords are about
  std::size_t compared_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema_overlap.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// json_schema_negation.hpp: schemas made of others: what is not, what depends on a condition.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "flashlm/text/grammar/schema/json_schema_view.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Writes keywords that say something by others, by De Morgan's laws. What is made may allow less
/// than what it was made of, never more. It holds what it made.
class JsonSchemaNegation {
 public:
  using View = JsonSchemaView;
  using Json = View::Json;
  using Place = View::Place;

  explicit JsonSchemaNegation(const View& view) : view_(&view) {}

  /// A schema of which `json` is the text, made of `keyword` at `place`. The same for the same
  /// `tag`.
  Place make(const Place& place, std::string_view keyword, std::string_view tag, Json json);

  /// The alternatives of what does not meet `place`, a schema; nothing if none of them is known.
  /// `is_narrow` is set where not all of them are.
  std::optional<Json> alternatives(const Place& place, bool& is_narrow);

  /// What a schema that says nothing but a reference refers to: what is made of it is made once.
  Place followed(Place place) const;

  /// Whether a schema says nothing but a reference.
  static bool is_reference(const View& view, const Place& place);

  /// Whether `not` of this schema is for the rules to see to: it is about listed values or one
  /// pattern.
  static bool is_plain(const Json& schema);

 private:
  static constexpr int kMostReferences = 32;

  /// Adds the ways not to meet one keyword. False if they are not all known.
  bool add(const Place& place, const std::string& key, Json& ways);

  static bool add_types(unsigned kinds, Json& ways);

  const View* view_;
  std::deque<Json> texts_;
  std::map<std::pair<std::string, std::size_t>, const Json*> made_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema_negation.ipp"
#endif

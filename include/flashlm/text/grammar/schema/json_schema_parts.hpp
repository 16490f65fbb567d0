// SPDX-License-Identifier: Apache-2.0
/// json_schema_parts.hpp: schemas that one value meets together, and the alternatives among them.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/text/grammar/schema/json_schema_negation.hpp"
#include "flashlm/text/grammar/schema/json_schema_overlap.hpp"
#include "flashlm/text/grammar/schema/json_schema_values.hpp"
#include "flashlm/text/grammar/schema/json_schema_view.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A schema among those that a value meets together. A place in a schema is known by the address of
/// its JSON.
struct JsonSchemaPart {
  JsonSchemaPlace place;
  unsigned done = 0;  // a bit for each keyword that others stand for by now
  std::vector<const nlohmann::ordered_json*> within{};  // the schemas whose alternative it is
};

using JsonSchemaParts = std::vector<JsonSchemaPart>;

/// Takes schemas apart: references, allOf, alternatives, conditions and negations become lists of
/// plain schemas.
class JsonSchemaSplitter {
 public:
  using View = JsonSchemaView;
  using Json = View::Json;
  using Place = View::Place;
  using Part = JsonSchemaPart;
  using Parts = JsonSchemaParts;

  JsonSchemaSplitter(const View& view, JsonSchemaValues& values);

  /// The name of some parts: the same for the same parts in any order.
  using Name = std::vector<std::pair<const Json*, unsigned>>;
  static Name name(const Parts& parts);

  /// All schemas that references and allOf of `parts` bring in; nothing if no value meets them.
  std::optional<Parts> flat(const Parts& parts) const;

  /// An alternative. `narrow`: what excludes others from it is more than it must be; then the
  /// keyword and its place.
  struct Way {
    Parts parts;
    std::optional<Place> narrow{};
    const char* keyword = "";
  };

  /// The alternatives of flat parts by the first keyword that has some; nothing if there is none.
  std::optional<std::vector<Way>> alternatives(const Parts& parts);

  /// Whether a `not` is left to the rules of values.
  bool is_plain_not(const Part& part) const;

 private:
  static constexpr int kDeepest = 200;
  static constexpr std::size_t kMostWays = 256;
  static constexpr std::array<const char*, 8> kWords = {
      "nullable",         "anyOf",       "oneOf", "not", "if", "dependentRequired",
      "dependentSchemas", "dependencies"};

  struct Flat {
    std::map<const Json*, const Part*> given{};
    Parts parts{};
    std::set<const Json*> seen{};
    std::set<const Json*> open{};  // on the way from a part to what it refers to
    int depth = 0;
  };

  static bool contains(const std::vector<const Json*>& list, const Json* one);

  bool gather(Part wanted, Flat& flat) const;

  bool gather_here(const Part& wanted, Flat& flat) const;

  bool gather_inner(const Part& part, Flat& flat) const;

  /// The parts with each of the alternatives that a keyword of one of them has.
  std::vector<Way> combined(const Parts& parts, std::size_t index, std::size_t word);

  using Listed = std::pair<std::vector<Place>, bool>;  // schemas, and whether they are narrow

  /// What else a value may meet, in lists of schemas, where `keyword` of `place` stands for one of
  /// them.
  std::vector<Listed> ways_of(const Parts& parts, const Place& place, std::string_view keyword);

  void add_made(const Place& place, std::string_view keyword, const Json& list,
                std::vector<Listed>& ways);

  /// Exactly one: it, and none of those that it might meet too.
  std::vector<Listed> one_of(const Parts& parts, const Place& place);

  /// OpenAPI's `nullable`: the schema at `index`, or null.
  void add_null(const Parts& parts, std::size_t index, std::vector<Way>& result);

  const View* view_;
  JsonSchemaNegation negation_;
  JsonSchemaOverlap overlap_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema_parts.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// json_schema.hpp: the language of the JSON texts that a schema allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/text/grammar/json/json_decimals.hpp"
#include "flashlm/text/grammar/json/json_numbers.hpp"
#include "flashlm/text/grammar/schema/json_schema_context.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Turns a JSON schema (draft 2020-12, and older words) into rules. Whatever the rules allow, the
/// schema allows; where a schema leaves much open, the rules allow less:
///
///   - properties come in the order in which they are written, so that a model thinks in the order
///   that the author
///     chose;
///   - an object with `properties` has no others unless `additionalProperties`, `patternProperties`
///   or `required` says
///     so;
///   - where nothing says a type, a value has one that keywords are about;
///   - each value of `enum` and `const`, and each character of a string with a `pattern`, has one
///   spelling.
class JsonSchema {
 public:
  /// The rules of `schema`. Throws FormatError, with the place in the schema, for a keyword that is
  /// not supported, a value that a keyword cannot have, or a schema that no text can meet. Words
  /// that JSON schema does not know say nothing.
  static GrammarRules compile(const nlohmann::ordered_json& schema);

 private:
  using Node = GrammarRules::Node;
  using View = JsonSchemaView;
  using Json = View::Json;
  using Place = JsonSchemaPlace;
  using Part = JsonSchemaPart;
  using Parts = JsonSchemaParts;

  JsonSchema(const Json& schema, GrammarRules& rules);

  const JsonSchemaView& view() const { return context_.view; }

  /// The rule of a value that meets all of `parts`.
  Node rule(const Parts& parts);

  /// Refuses alternatives of which nothing is left only because more is kept out of them than must
  /// be.
  void check_narrow() const;

  /// The values that a plain `not` takes away.
  std::vector<Place> taken_values(const Parts& parts) const;

  /// The kinds of values that are written; nothing if any value is good.
  std::optional<unsigned> kinds_of(const Parts& parts, const std::vector<Place>& taken) const;

  /// Refuses a keyword about all kinds that grammars do not know.
  void check_everywhere(const Place& place, std::string_view word) const;

  /// Refuses keywords that are about these kinds and that grammars do not know.
  void check_foreign(const Parts& parts, unsigned kinds) const;

  Node boolean(const std::vector<Place>& taken);

  /// `whole`: no number has a fraction.
  Node number(const Parts& parts, bool whole);

  /// The least common multiple of a divisor and `multipleOf`.
  std::int64_t joined(const Place& place, std::int64_t divisor) const;

  /// Narrows the bounds: `least` and `most` as they are written, `range` to whole numbers.
  void read_bound(const Place& place, std::string_view keyword, std::optional<JsonDecimal>& least,
                  std::optional<JsonDecimal>& most, JsonNumbers::Range& range) const;

  static void read_whole(const Json& said, bool is_lower, bool excluded, JsonNumbers::Range& range);

  JsonSchemaContext context_;
  GrammarRules& rules_;
  std::vector<std::pair<Node, JsonSchemaSplitter::Way>> narrow_;
  std::optional<Node> any_whole_{};
  std::optional<Node> any_number_{};
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema.ipp"
#endif

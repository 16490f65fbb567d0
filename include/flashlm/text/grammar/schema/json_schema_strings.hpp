// SPDX-License-Identifier: Apache-2.0
/// json_schema_strings.hpp: the rules of strings that meet a JSON schema.
#pragma once

#include <cstdint>
#include <optional>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/automaton/pattern_states.hpp"
#include "flashlm/text/grammar/schema/json_schema_context.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Builds the rule of strings that meet some parts, which are flat.
class JsonSchemaStrings {
 public:
  using Node = GrammarRules::Node;
  using Json = JsonSchemaView::Json;
  using Parts = JsonSchemaParts;

  JsonSchemaStrings(JsonSchemaContext& context, const Parts& parts);

  /// The rule, which ends with the string. In any spelling if only its length is asked for.
  Node rule();

  /// The strings as an automaton, without their quotes.
  PatternStates states();

 private:
  const JsonSchemaView& view() const { return context_->view; }

  /// Narrows the strings to those of `make()` too, which may throw FormatError for a pattern.
  template <class Make>
  void join(const JsonSchemaPlace& place, const char* keyword, const Make& make) {
    place_ = place;
    keyword_ = keyword;
    try {
      states_ = states_ ? PatternStates::both(*states_, make()) : PatternStates(make());
    } catch (const FormatError& error) {
      view().unsupported(place, keyword, error.what());
    }
  }

  /// What a plain `not` takes away.
  void exclude(const JsonSchemaPlace& place);

  /// Applies the bounds of the length. Where states would become too many, the longest strings are
  /// left out.
  void bound();

  JsonSchemaContext* context_;
  std::uint64_t least_ = 0;
  std::uint64_t most_ = PatternStates::kEndless;
  std::optional<PatternStates> states_;
  JsonSchemaPlace place_;  // of the last keyword that asked for states, for errors
  const char* keyword_ = "pattern";
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/schema/json_schema_strings.ipp"
#endif

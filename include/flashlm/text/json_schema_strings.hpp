// SPDX-License-Identifier: Apache-2.0
/// json_schema_strings.hpp: the rules of strings that meet a JSON schema.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/text/json_schema_context.hpp"
#include "flashlm/text/pattern_states.hpp"

namespace flashlm::inline v0::text {

/// Builds the rule of strings that meet some parts, which are flat.
class JsonSchemaStrings {
 public:
  using Node = GrammarRules::Node;
  using Json = JsonSchemaView::Json;
  using Parts = JsonSchemaParts;

  JsonSchemaStrings(JsonSchemaContext& context, const Parts& parts) : context_(&context) {
    for (const JsonSchemaPart& part : parts) {
      least_ = std::max(least_, view().count(part.place, "minLength", 0));
      most_ = std::min(most_, view().count(part.place, "maxLength", PatternStates::kEndless));
      if (view().find(part.place, "pattern") != nullptr) {
        join(part.place, "pattern",
             [&] { return context_->patterns.states(view().word(part.place, "pattern"), PatternReading::certain); });
      }
      if (context_->splitter.is_plain_not(part)) exclude(part.place);
    }
  }

  /// The rule, which ends with the string. In any spelling if only its length is asked for.
  Node rule() {
    if (!states_) return context_->json.string(least_, most_, JsonRules::end());
    bound();
    return context_->strings.rule(*states_);
  }

  /// The strings as an automaton, without their quotes.
  PatternStates states() {
    if (!states_) states_ = PatternStates::of_length(0, PatternStates::kEndless);
    bound();
    return *states_;
  }

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
  void exclude(const JsonSchemaPlace& place) {
    const JsonSchemaPlace inner = view().at(place, "not");
    if (view().find(inner, "pattern") != nullptr) {
      join(place, "not", [&] {
        return context_->patterns.states(view().word(inner, "pattern"), PatternReading::possible).complement();
      });
      return;
    }
    std::vector<std::string> words;
    const auto add = [&](const Json& value) {
      if (value.is_string()) words.push_back(value.get<std::string>());
    };
    if (const Json* fixed = view().find(inner, "const")) add(*fixed);
    if (view().find(inner, "enum") != nullptr) {
      for (const JsonSchemaPlace& each : view().elements(inner, "enum")) add(*each.json);
    }
    if (!words.empty()) join(place, "not", [&] { return PatternStates::of_words(words).complement(); });
  }

  /// Applies the bounds of the length. Where states would become too many, the longest strings are left out.
  void bound() {
    if (states_->empty()) return;
    const auto [least, most] = states_->lengths();
    if (least >= least_ && most <= most_) return;
    const std::uint64_t kept = std::max<std::uint64_t>(PatternStates::kMostStates / states_->size(), 2) - 1;
    const std::uint64_t largest = most_ == PatternStates::kEndless ? most_ : std::min(most_, std::max(kept, least_));
    try {
      states_ = PatternStates::both(*states_, PatternStates::of_length(least_, largest));
    } catch (const FormatError& error) {
      view().unsupported(place_, keyword_, concat("with this length ", error.what()));
    }
  }

  JsonSchemaContext* context_;
  std::uint64_t least_ = 0;
  std::uint64_t most_ = PatternStates::kEndless;
  std::optional<PatternStates> states_;
  JsonSchemaPlace place_;  // of the last keyword that asked for states, for errors
  const char* keyword_ = "pattern";
};

}  // namespace flashlm::inline v0::text

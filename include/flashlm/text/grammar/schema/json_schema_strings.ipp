// SPDX-License-Identifier: Apache-2.0
/// json_schema_strings.ipp: the bodies of json_schema_strings.hpp.
#pragma once

#include "flashlm/text/grammar/schema/json_schema_strings.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonSchemaStrings::JsonSchemaStrings(JsonSchemaContext& context, const Parts& parts)
    : context_(&context) {
  for (const JsonSchemaPart& part : parts) {
    least_ = std::max(least_, view().count(part.place, "minLength", 0));
    most_ = std::min(most_, view().count(part.place, "maxLength", PatternStates::kEndless));
    if (view().find(part.place, "pattern") != nullptr) {
      join(part.place, "pattern", [&] {
        return context_->patterns.states(view().word(part.place, "pattern"),
                                         PatternReading::certain);
      });
    }
    if (context_->splitter.is_plain_not(part)) exclude(part.place);
  }
}

FLASHLM_INLINE JsonSchemaStrings::Node JsonSchemaStrings::rule() {
  if (!states_) return context_->json.string(least_, most_, JsonRules::end());
  bound();
  return context_->strings.rule(*states_);
}

FLASHLM_INLINE PatternStates JsonSchemaStrings::states() {
  if (!states_) states_ = PatternStates::of_length(0, PatternStates::kEndless);
  bound();
  return *states_;
}

FLASHLM_INLINE void JsonSchemaStrings::exclude(const JsonSchemaPlace& place) {
  const JsonSchemaPlace inner = view().at(place, "not");
  if (view().find(inner, "pattern") != nullptr) {
    join(place, "not", [&] {
      return context_->patterns.states(view().word(inner, "pattern"), PatternReading::possible)
          .complement();
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
  if (!words.empty())
    join(place, "not", [&] { return PatternStates::of_words(words).complement(); });
}

FLASHLM_INLINE void JsonSchemaStrings::bound() {
  if (states_->empty()) return;
  const auto [least, most] = states_->lengths();
  if (least >= least_ && most <= most_) return;
  const std::uint64_t kept =
      std::max<std::uint64_t>(PatternStates::kMostStates / states_->size(), 2) - 1;
  const std::uint64_t largest =
      most_ == PatternStates::kEndless ? most_ : std::min(most_, std::max(kept, least_));
  try {
    states_ = PatternStates::both(*states_, PatternStates::of_length(least_, largest));
  } catch (const FormatError& error) {
    view().unsupported(place_, keyword_, concat("with this length ", error.what()));
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::text

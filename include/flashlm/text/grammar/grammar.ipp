// SPDX-License-Identifier: Apache-2.0
/// grammar.ipp: the bodies of grammar.hpp.
#pragma once

#include "flashlm/text/grammar/grammar.hpp"

#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/grammar_guide.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE Grammar Grammar::from_json_schema(std::string_view schema) {
  nlohmann::ordered_json json;
  try {
    json = nlohmann::ordered_json::parse(schema.begin(), schema.end());
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(concat("[json_schema] not JSON: ", error.what()));
  }
  return from_json_schema(json);
}

FLASHLM_INLINE Grammar::Grammar(GrammarRules rules)
    : rules_(std::make_shared<const GrammarRules>(std::move(rules))) {
  if (shortest() == GrammarRules::kNever)
    throw FormatError("[grammar] rules: no text can meet them");
  if (shortest() > kLongestShortest) {
    throw FormatError(concat("[grammar] rules: expected a shortest text of at most ",
                             kLongestShortest, " bytes, got ", shortest()));
  }
}

FLASHLM_INLINE std::unique_ptr<Guide> Grammar::guide(std::shared_ptr<const Tokenizer> tokenizer,
                                                     std::span<const Token> ends,
                                                     std::size_t vocab_size) const {
  return std::make_unique<GrammarGuide>(rules_, std::move(tokenizer), ends, vocab_size);
}

}  // namespace flashlm::inline FLASHLM_ABI::text

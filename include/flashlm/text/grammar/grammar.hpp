// SPDX-License-Identifier: Apache-2.0
/// grammar.hpp: which texts a model may write, such as the JSON texts that a schema allows.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include <nlohmann/json.hpp>

#include "flashlm/base/token.hpp"
#include "flashlm/text/generation/guide.hpp"
#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/text/grammar/schema/json_schema.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A language by its rules. Immutable; any number of threads and generations may share one.
///
///     auto grammar = std::make_shared<const Grammar>(Grammar::from_json_schema(R"({"type":
///     "object", ...})")); lm.generate(prompt, {.grammar = grammar});
class Grammar : public Language {
 public:
  /// The JSON texts that a schema allows, see JsonSchema for what is supported and how a text is
  /// spelled. `{}` is any JSON. Throws FormatError that names an unsupported keyword and its place,
  /// and for a schema that nothing meets.
  static Grammar from_json_schema(std::string_view schema);

  /// The same for a schema that is parsed. nlohmann::json is not taken: it has lost the order of
  /// properties.
  template <std::same_as<nlohmann::ordered_json> Json>
  static Grammar from_json_schema(const Json& schema) {
    return Grammar(JsonSchema::compile(schema));
  }

  /// A language from its rules, which are finished. Throws FormatError if it has no text, or no
  /// short one.
  explicit Grammar(GrammarRules rules);

  /// Bytes that no shortest text may exceed: it is spelled before the first token.
  static constexpr GrammarRules::Cost kLongestShortest = 65'536;

  FLASHLM_INLINE std::unique_ptr<Guide> guide(std::shared_ptr<const Tokenizer> tokenizer,
                                              std::span<const Token> ends,
                                              std::size_t vocab_size) const override;

  const GrammarRules& rules() const noexcept { return *rules_; }
  const std::shared_ptr<const GrammarRules>& shared_rules() const noexcept { return rules_; }

  /// Bytes of the shortest text.
  GrammarRules::Cost shortest() const noexcept { return rules_->cost(rules_->start()); }

 private:
  std::shared_ptr<const GrammarRules> rules_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/grammar.ipp"
#endif

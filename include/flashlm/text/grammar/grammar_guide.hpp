// SPDX-License-Identifier: Apache-2.0
/// grammar_guide.hpp: leads a model through a grammar: what it need not choose, what it may, and
/// when it must end.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/text/generation/guide.hpp"
#include "flashlm/text/generation/sampler.hpp"
#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/text/grammar/token_mask.hpp"
#include "flashlm/text/tokenizer/tokenizer.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// The guide of a grammar, by its rules.
class GrammarGuide : public Guide {
 public:
  /// Throws FormatError if the vocabulary cannot spell any text of the grammar.
  GrammarGuide(std::shared_ptr<const GrammarRules> rules,
               std::shared_ptr<const Tokenizer> tokenizer, std::span<const Token> ends,
               std::size_t vocab_size);

  std::size_t least_room() override { return mask_.to_end().size(); }
  bool is_complete() const noexcept override { return is_cut_ ? rest_.empty() : mask_.must_end(); }
  bool is_cut() const noexcept override { return is_cut_; }
  FLASHLM_INLINE std::vector<Token> forced(std::size_t room) override;
  FLASHLM_INLINE std::optional<Token> choose(Sampler& sampler, std::span<float> logits,
                                             std::span<const Token> history,
                                             std::size_t room) override;

 private:
  std::vector<Token> end_now();

  std::string joined(std::span<const Token> tokens) const;

  /// The tokens of forced bytes. The last is left to the model unless the text ends there: with
  /// what follows, another token may be the usual one.
  std::vector<Token> spelled(const std::string& bytes);

  std::shared_ptr<const Tokenizer> tokenizer_;
  TokenMask mask_;
  bool is_cut_ = false;
  std::vector<Token> rest_;  // of a text that is cut
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/grammar_guide.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// grammar_guide.hpp: leads a model through a grammar: what it need not choose, what it may, and when it must end.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/text/grammar.hpp"
#include "flashlm/text/sampler.hpp"
#include "flashlm/text/token_mask.hpp"
#include "flashlm/text/tokenizer.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Chooses the tokens of one text so that it is always the beginning of a text of the grammar, and is a whole one
/// before the room for it is used up. Room is counted in tokens, that of an ending token not included. Not thread-safe.
class GrammarGuide {
 public:
  /// Throws FormatError if the vocabulary cannot spell any text of the grammar.
  GrammarGuide(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const Tokenizer> tokenizer,
               std::span<const Token> ends, std::size_t vocab_size);

  /// Tokens of the shortest text: the least room that a text needs.
  std::size_t least_room() { return mask_.to_end().size(); }

  /// Whether the text is whole and nothing may follow, or room for no more.
  bool is_complete() const noexcept { return is_cut_ ? rest_.empty() : mask_.must_end(); }
  /// Whether the text ended only because its room was used up.
  bool is_cut() const noexcept { return is_cut_; }

  /// Appends the tokens that follow without a choice and returns them: the bytes that the grammar alone decides,
  /// spelled as the tokenizer spells them, or the shortest way to the end if there is room for no other.
  std::vector<Token> forced(std::size_t room);

  /// Chooses a token among those that are allowed and appends it. Nothing if it would leave too little room to end:
  /// then `forced` has the rest. After an ending token the guide is not asked again. logits [vocab_size] is scratch.
  ///
  /// Throws as Sampler does.
  std::optional<Token> choose(Sampler& sampler, std::span<float> logits, std::span<const Token> history,
                              std::size_t room);

 private:
  std::vector<Token> end_now();

  std::string joined(std::span<const Token> tokens) const;

  /// The tokens of forced bytes. The last is left to the model unless the text ends there: with what follows, another
  /// token may be the usual one.
  std::vector<Token> spelled(const std::string& bytes);

  std::shared_ptr<const Tokenizer> tokenizer_;
  TokenMask mask_;
  bool is_cut_ = false;
  std::vector<Token> rest_;  // of a text that is cut
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar_guide.ipp"
#endif

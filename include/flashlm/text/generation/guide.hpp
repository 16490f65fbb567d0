// SPDX-License-Identifier: Apache-2.0
/// guide.hpp: what leads a model through a language of texts, as a generation sees it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

class Sampler;
class Tokenizer;

/// Chooses the tokens of one text so that it is always the beginning of a text of the language, and
/// is a whole one before the room for it is used up. Room is counted in tokens, that of an ending
/// token not included. Not thread-safe.
class Guide {
 public:
  virtual ~Guide() = default;

  /// Tokens of the shortest text: the least room that a text needs.
  virtual std::size_t least_room() = 0;

  /// Whether the text is whole and nothing may follow, or room for no more.
  virtual bool is_complete() const noexcept = 0;
  /// Whether the text ended only because its room was used up.
  virtual bool is_cut() const noexcept = 0;

  /// Appends the tokens that follow without a choice and returns them: the bytes that the language
  /// alone decides, spelled as the tokenizer spells them, or the shortest way to the end if there
  /// is room for no other.
  virtual std::vector<Token> forced(std::size_t room) = 0;

  /// Chooses a token among those that are allowed and appends it. Nothing if it would leave too
  /// little room to end: then `forced` has the rest. After an ending token the guide is not asked
  /// again. logits [vocab_size] is scratch.
  ///
  /// Throws as Sampler does.
  virtual std::optional<Token> choose(Sampler& sampler, std::span<float> logits,
                                      std::span<const Token> history, std::size_t room) = 0;
};

/// A language of texts: Grammar is one. Immutable; any number of threads and generations may share
/// one.
///
/// A program that asks for no language compiles none.
class Language {
 public:
  virtual ~Language() = default;

  /// A guide for one text of a model that writes `vocab_size` tokens, and ends a text with any of
  /// `ends`.
  ///
  /// Throws FormatError if the vocabulary cannot spell any text of the language.
  virtual std::unique_ptr<Guide> guide(std::shared_ptr<const Tokenizer> tokenizer,
                                       std::span<const Token> ends,
                                       std::size_t vocab_size) const = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

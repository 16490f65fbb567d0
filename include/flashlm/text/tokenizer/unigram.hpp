// SPDX-License-Identifier: Apache-2.0
/// unigram.hpp: the unigram model of SentencePiece (Kudo, arXiv:1804.10959).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/text/tokenizer/byte_trie.hpp"
#include "flashlm/text/tokenizer/vocabulary.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// The `model` of a tokenizer.json, of type Unigram. Thread-safe.
///
/// A word becomes the pieces with the largest sum of scores, found by Viterbi's algorithm as
/// `tokenizers` does it: of equal sums the first that is found stays.
class Unigram {
 public:
  /// Reads the model. Throws FormatError for scores that are not numbers, and for an unknown token
  /// that is none. What is written as one of `control` is no piece: text makes none of them.
  static Unigram parse(const storage::JsonField& model, const std::vector<std::string>& control);

  /// Appends the ids of one word to `tokens`. Characters without a piece become their bytes, <0x00>
  /// to <0xFF>, if `byte_fallback` says so; else a run of them is one unknown token.
  void encode(std::string_view word, std::vector<Token>& tokens) const;

  /// The id of a token as it is written in the vocabulary.
  std::optional<Token> id(std::string_view written) const;

  /// All tokens as they are written, with their ids.
  const TokenMap& vocabulary() const noexcept { return vocabulary_; }

 private:
  /// A character without a piece costs the smallest score less this.
  static constexpr double kUnknownPenalty = 10;

  TokenMap vocabulary_;
  std::vector<double> scores_;  // by id
  ByteTrie trie_;
  std::array<Token, 256> fallback_;
  Token unknown_ = -1;
  double unknown_score_ = 0;
  bool byte_fallback_ = false;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/unigram.ipp"
#endif

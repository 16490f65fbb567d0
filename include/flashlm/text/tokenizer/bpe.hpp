// SPDX-License-Identifier: Apache-2.0
/// bpe.hpp: byte pair encoding (Sennrich et al., arXiv:1508.07909) on bytes (GPT-2) or characters
/// (SentencePiece).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/text/tokenizer/vocabulary.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// The `model` of a tokenizer.json, of type BPE. Thread-safe.
///
/// The merge with the lowest rank is done first, the leftmost of equals first, as `tokenizers` does
/// it. A word of n bytes costs O(n log n).
class Bpe {
 public:
  /// Reads the model. `of_bytes`: words are bytes, which the vocabulary writes in GPT-2's alphabet;
  /// else they are characters, which it writes as they are. Throws FormatError for another type, an
  /// option that is not known, or a merge of unknown tokens.
  static Bpe parse(const storage::JsonField& model, bool of_bytes);

  /// Appends the ids of one word to `tokens`. A byte or character that the vocabulary lacks becomes
  /// its bytes, <0x00> to <0xFF>, if `byte_fallback` says so, else `unk_token`; without one it
  /// vanishes, as in `tokenizers`.
  void encode(std::string_view word, std::vector<Token>& tokens) const;

  /// The id of a token as it is written in the vocabulary.
  std::optional<Token> id(std::string_view written) const;

  /// All tokens as they are written, with their ids; no two share an id.
  const TokenMap& vocabulary() const noexcept { return vocabulary_; }

 private:
  struct Symbol {
    Token token;  // -1 once merged into its left neighbour
    std::int32_t previous;
    std::int32_t next;
  };
  struct Merge {
    std::uint32_t rank;
    Token token;  // the result
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t position;  // of the left symbol
    Token token;
    bool operator<(const Candidate& other) const noexcept;
  };

  static std::uint64_t pair_key(Token left, Token right) noexcept;

  void read_vocabulary(const storage::JsonField& field, bool of_bytes);

  /// The symbols of a word before any merge, not yet linked.
  void begin(std::string_view word, std::vector<Symbol>& symbols) const;

  void read_merges(const storage::JsonField& field);

  const Merge* find_merge(Token left, Token right) const;

  void merge(std::vector<Symbol>& symbols) const;

  TokenMap vocabulary_;           // as written
  TokenMap words_;                // by their bytes; filled for ignore_merges of bytes only
  std::array<Token, 256> bytes_;  // the id of each byte, or of each in ASCII, -1 if there is none
  std::array<Token, 256> fallback_;  // the ids of <0x00> to <0xFF>, if they count
  bool of_bytes_ = true;
  bool byte_fallback_ = false;
  std::unordered_map<std::uint64_t, Merge> merges_;  // by pair_key
  Token unknown_ = -1;
  bool ignore_merges_ = false;
  bool fuse_unknown_ = false;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/bpe.ipp"
#endif

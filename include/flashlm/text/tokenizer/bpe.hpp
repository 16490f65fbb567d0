// SPDX-License-Identifier: Apache-2.0
/// bpe.hpp: byte pair encoding (Sennrich et al., arXiv:1508.07909) on bytes (GPT-2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

namespace detail {

/// GPT-2's alphabet (bytes_to_unicode): each byte is written as one printable character. Printable
/// Latin-1 stands for itself, the other 68 bytes are U+0100 and on.
constexpr std::array<char32_t, 256> byte_alphabet() noexcept {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    alphabet[byte] = printable ? byte : next++;
  }
  return alphabet;
}

inline constexpr std::array<char32_t, 256> kByteAlphabet = byte_alphabet();

/// Lets a map of strings be asked with a string_view.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};

}  // namespace detail

/// From a string to its id.
using TokenMap = std::unordered_map<std::string, Token, detail::StringHash, std::equal_to<>>;

/// The bytes that `written` stands for in GPT-2's alphabet, or nothing if a character is not of the
/// alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view written);

/// The `model` of a tokenizer.json, of type BPE on bytes. Thread-safe.
///
/// The merge with the lowest rank is done first, the leftmost of equals first, as `tokenizers` does
/// it. A word of n bytes costs O(n log n).
class Bpe {
 public:
  /// An id may not be larger than this: embeddings with more rows than that do not exist.
  static constexpr std::uint64_t kMaxTokens = std::uint64_t{1} << 24;

  /// Reads the model. Throws FormatError for another type, an option that is not known, or a merge
  /// of unknown tokens.
  static Bpe parse(const storage::JsonField& model);

  /// Appends the ids of one word to `tokens`. A byte that the vocabulary lacks becomes `unk_token`;
  /// without one it vanishes, as in `tokenizers`.
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

  void read_vocabulary(const storage::JsonField& field);

  void read_merges(const storage::JsonField& field);

  const Merge* find_merge(Token left, Token right) const;

  void merge(std::vector<Symbol>& symbols) const;

  TokenMap vocabulary_;           // as written
  TokenMap words_;                // by their bytes; filled for ignore_merges only
  std::array<Token, 256> bytes_;  // the id of each single byte, -1 if there is none
  std::unordered_map<std::uint64_t, Merge> merges_;  // by pair_key
  Token unknown_ = -1;
  bool ignore_merges_ = false;
  bool fuse_unknown_ = false;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/bpe.ipp"
#endif

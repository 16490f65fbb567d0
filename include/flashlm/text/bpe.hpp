// SPDX-License-Identifier: Apache-2.0
/// bpe.hpp: byte pair encoding (Sennrich et al., arXiv:1508.07909) on bytes (GPT-2).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/storage/json.hpp"
#include "flashlm/text/utf8.hpp"

namespace flashlm::inline v0::text {

namespace detail {

/// GPT-2's alphabet (bytes_to_unicode): each byte is written as one printable character. Printable Latin-1 stands for
/// itself, the other 68 bytes are U+0100 and on.
constexpr std::array<char32_t, 256> byte_alphabet() noexcept {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    alphabet[byte] = printable ? byte : next++;
  }
  return alphabet;
}

/// The inverse: the byte of a character below U+0144, or -1.
constexpr std::array<std::int16_t, 0x144> alphabet_bytes() noexcept {
  std::array<std::int16_t, 0x144> bytes{};
  for (std::int16_t& byte : bytes) byte = -1;
  const std::array<char32_t, 256> alphabet = byte_alphabet();
  for (std::size_t byte = 0; byte < 256; ++byte) bytes[alphabet[byte]] = static_cast<std::int16_t>(byte);
  return bytes;
}

inline constexpr std::array<char32_t, 256> kByteAlphabet = byte_alphabet();
inline constexpr std::array<std::int16_t, 0x144> kAlphabetBytes = alphabet_bytes();

/// Lets a map of strings be asked with a string_view.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
};

}  // namespace detail

/// From a string to its id.
using TokenMap = std::unordered_map<std::string, Token, detail::StringHash, std::equal_to<>>;

/// The bytes that `written` stands for in GPT-2's alphabet, or nothing if a character is not of the alphabet.
inline std::optional<std::string> alphabet_to_bytes(std::string_view written) {
  std::string bytes;
  while (!written.empty()) {
    const Utf8Step step = utf8_step(written);
    if (step.code >= detail::kAlphabetBytes.size() || detail::kAlphabetBytes[step.code] < 0) return std::nullopt;
    bytes += static_cast<char>(detail::kAlphabetBytes[step.code]);
    written.remove_prefix(step.length);
  }
  return bytes;
}

/// The `model` of a tokenizer.json, of type BPE on bytes. Thread-safe.
///
/// The merge with the lowest rank is done first, the leftmost of equals first, as `tokenizers` does it. A word of n
/// bytes costs O(n log n).
class Bpe {
 public:
  /// An id may not be larger than this: embeddings with more rows than that do not exist.
  static constexpr std::uint64_t kMaxTokens = std::uint64_t{1} << 24;

  /// Reads the model. Throws FormatError for another type, an option that is not known, or a merge of unknown tokens.
  static Bpe parse(const storage::JsonField& model) {
    Bpe result;
    // Old files lack the type; then the members decide.
    if (!model["type"].is_null() && model["type"].string() != "BPE") model["type"].wrong("BPE");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!model[key].is_null() && !model[key].string().empty()) model[key].wrong("nothing");
    }
    if (!model["dropout"].is_null() && model["dropout"].value() != 0) model["dropout"].wrong("null");
    if (model["byte_fallback"].flag(false)) model["byte_fallback"].wrong("false");
    result.ignore_merges_ = model["ignore_merges"].flag(false);
    result.fuse_unknown_ = model["fuse_unk"].flag(false);
    result.read_vocabulary(model["vocab"]);
    result.read_merges(model["merges"]);
    if (!model["unk_token"].is_null()) {
      result.unknown_ = result.id(model["unk_token"].string()).value_or(-1);
      if (result.unknown_ < 0) model["unk_token"].wrong("a token of the vocabulary");
    }
    return result;
  }

  /// Appends the ids of one word to `tokens`. A byte that the vocabulary lacks becomes `unk_token`; without one it
  /// vanishes, as in `tokenizers`.
  void encode(std::string_view word, std::vector<Token>& tokens) const {
    if (ignore_merges_) {
      if (const auto found = words_.find(word); found != words_.end()) {
        tokens.push_back(found->second);
        return;
      }
    }
    std::vector<Symbol> symbols;
    symbols.reserve(word.size());
    bool after_unknown = false;
    for (const char letter : word) {
      const Token token = bytes_[static_cast<unsigned char>(letter)];
      const bool unknown = token < 0;
      if (!unknown || (unknown_ >= 0 && !(fuse_unknown_ && after_unknown))) {
        const auto index = static_cast<std::int32_t>(symbols.size());
        symbols.push_back({unknown ? unknown_ : token, index - 1, index + 1});
      }
      after_unknown = unknown;
    }
    if (symbols.empty()) return;
    symbols.back().next = -1;
    merge(symbols);
    for (std::int32_t index = 0; index >= 0; index = symbols[static_cast<std::size_t>(index)].next) {
      tokens.push_back(symbols[static_cast<std::size_t>(index)].token);
    }
  }

  /// The id of a token as it is written in the vocabulary.
  std::optional<Token> id(std::string_view written) const {
    const auto found = vocabulary_.find(written);
    return found == vocabulary_.end() ? std::nullopt : std::optional<Token>(found->second);
  }

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
    bool operator<(const Candidate& other) const noexcept {  // the top of the queue is the lowest rank, then leftmost
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };

  static std::uint64_t pair_key(Token left, Token right) noexcept {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) | static_cast<std::uint32_t>(right);
  }

  void read_vocabulary(const storage::JsonField& field) {
    vocabulary_.reserve(field.value().size());
    bytes_.fill(-1);
    std::unordered_set<Token> taken;
    taken.reserve(field.value().size());
    field.members([&](const std::string& written, const storage::JsonField& id) {
      const auto token = static_cast<Token>(id.count(0, kMaxTokens - 1));
      if (!taken.insert(token).second) id.wrong("an id that no other token has");
      vocabulary_.emplace(written, token);
      const std::optional<std::string> bytes = alphabet_to_bytes(written);
      if (!bytes || bytes->empty()) return;
      if (bytes->size() == 1) bytes_[static_cast<unsigned char>(bytes->front())] = token;
      if (ignore_merges_) words_.emplace(*bytes, token);
    });
  }

  void read_merges(const storage::JsonField& field) {
    merges_.reserve(field.array_size());
    std::uint32_t rank = 0;
    std::string whole;
    field.elements([&](const storage::JsonField& entry) {
      std::string_view left;
      std::string_view right;
      if (entry.value().is_array()) {
        if (entry.array_size() != 2) entry.wrong("two tokens");
        left = entry.at(0).string();
        right = entry.at(1).string();
      } else {
        const std::string_view both = entry.string();
        const std::size_t space = both.find(' ');
        if (space == std::string_view::npos || both.find(' ', space + 1) != std::string_view::npos) {
          entry.wrong("two tokens with a space between");
        }
        left = both.substr(0, space);
        right = both.substr(space + 1);
      }
      whole.assign(left).append(right);
      const std::optional<Token> first = id(left);
      const std::optional<Token> second = id(right);
      const std::optional<Token> merged = id(whole);
      if (!first || !second || !merged) entry.wrong("a merge whose parts and result are in the vocabulary");
      merges_.insert_or_assign(pair_key(*first, *second), Merge{rank++, *merged});
    });
  }

  const Merge* find_merge(Token left, Token right) const {
    const auto found = merges_.find(pair_key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
  }

  void merge(std::vector<Symbol>& symbols) const {
    std::vector<Candidate> storage;
    storage.reserve(symbols.size());
    std::priority_queue<Candidate> queue(std::less<Candidate>(), std::move(storage));
    const auto at = [&](std::int32_t index) -> Symbol& { return symbols[static_cast<std::size_t>(index)]; };
    const auto offer = [&](std::int32_t left) {
      if (left < 0 || at(left).next < 0) return;
      if (const Merge* found = find_merge(at(left).token, at(at(left).next).token)) {
        queue.push({found->rank, left, found->token});
      }
    };
    for (std::int32_t index = 0; index + 1 < static_cast<std::int32_t>(symbols.size()); ++index) offer(index);
    while (!queue.empty()) {
      const Candidate best = queue.top();
      queue.pop();
      Symbol& left = at(best.position);
      if (left.token < 0 || left.next < 0) continue;
      // Either symbol may have changed since: the pair must still give the same result.
      const Merge* found = find_merge(left.token, at(left.next).token);
      if (found == nullptr || found->token != best.token) continue;
      Symbol& right = at(left.next);
      right.token = -1;
      left.token = best.token;
      left.next = right.next;
      if (left.next >= 0) at(left.next).previous = best.position;
      offer(left.previous);
      offer(best.position);
    }
  }

  TokenMap vocabulary_;                              // as written
  TokenMap words_;                                   // by their bytes; filled for ignore_merges only
  std::array<Token, 256> bytes_;                     // the id of each single byte, -1 if there is none
  std::unordered_map<std::uint64_t, Merge> merges_;  // by pair_key
  Token unknown_ = -1;
  bool ignore_merges_ = false;
  bool fuse_unknown_ = false;
};

}  // namespace flashlm::inline v0::text

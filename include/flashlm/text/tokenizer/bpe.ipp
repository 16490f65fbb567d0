// SPDX-License-Identifier: Apache-2.0
/// bpe.ipp: the bodies of bpe.hpp.
#pragma once

#include "flashlm/text/tokenizer/bpe.hpp"

#include <algorithm>
#include <queue>
#include <unordered_set>
#include <utility>

#include "flashlm/text/tokenizer/byte_alphabet.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_ONCE Bpe Bpe::parse(const storage::JsonField& model, bool of_bytes) {
  Bpe result;
  result.of_bytes_ = of_bytes;
  // Old files lack the type; then the members decide.
  if (!model["type"].is_null() && model["type"].string() != "BPE") model["type"].wrong("BPE");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model[key].is_null() && !model[key].string().empty()) model[key].wrong("nothing");
  }
  const storage::JsonField dropout = model["dropout"];
  if (!dropout.is_null() && !(dropout.value().is_number() && dropout.number() == 0))
    dropout.wrong("null");
  result.byte_fallback_ = model["byte_fallback"].flag(false);
  if (result.byte_fallback_ && of_bytes)
    model["byte_fallback"].wrong("false for a byte-level model");
  result.ignore_merges_ = model["ignore_merges"].flag(false);
  result.fuse_unknown_ = model["fuse_unk"].flag(false);
  result.read_vocabulary(model["vocab"], of_bytes);
  result.read_merges(model["merges"]);
  if (!model["unk_token"].is_null()) {
    result.unknown_ = result.id(model["unk_token"].string()).value_or(-1);
    if (result.unknown_ < 0) model["unk_token"].wrong("a token of the vocabulary");
  }
  return result;
}

FLASHLM_INLINE void Bpe::encode(std::string_view word, std::vector<Token>& tokens) const {
  if (ignore_merges_) {
    const TokenMap& whole = of_bytes_ ? words_ : vocabulary_;
    if (const auto found = whole.find(word); found != whole.end()) {
      tokens.push_back(found->second);
      return;
    }
  }
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  begin(word, symbols);
  if (symbols.empty()) return;
  for (std::size_t at = 0; at < symbols.size(); ++at) {
    symbols[at].previous = static_cast<std::int32_t>(at) - 1;
    symbols[at].next = static_cast<std::int32_t>(at) + 1;
  }
  symbols.back().next = -1;
  merge(symbols);
  for (std::int32_t index = 0; index >= 0; index = symbols[static_cast<std::size_t>(index)].next) {
    tokens.push_back(symbols[static_cast<std::size_t>(index)].token);
  }
}

FLASHLM_INLINE void Bpe::begin(std::string_view word, std::vector<Symbol>& symbols) const {
  bool after_unknown = false;
  while (!word.empty()) {
    const auto lead = static_cast<unsigned char>(word.front());
    const std::size_t length = of_bytes_ || lead < 0x80 ? 1 : utf8_step(word).length;
    const std::string_view letter = word.substr(0, length);
    word.remove_prefix(length);
    const Token token = length == 1 ? bytes_[lead] : id(letter).value_or(-1);
    if (token >= 0) {
      symbols.push_back({token, 0, 0});
    } else if (byte_fallback_) {
      for (const char byte : letter)
        symbols.push_back({fallback_[static_cast<unsigned char>(byte)], 0, 0});
    } else if (unknown_ >= 0 && !(fuse_unknown_ && after_unknown)) {
      symbols.push_back({unknown_, 0, 0});
    }
    after_unknown = token < 0;
  }
}

FLASHLM_INLINE std::optional<Token> Bpe::id(std::string_view written) const {
  const auto found = vocabulary_.find(written);
  return found == vocabulary_.end() ? std::nullopt : std::optional<Token>(found->second);
}

FLASHLM_INLINE bool Bpe::Candidate::operator<(const Candidate& other)
    const noexcept {  // the top of the queue is the lowest rank, then leftmost
  return rank != other.rank ? rank > other.rank : position > other.position;
}

FLASHLM_INLINE std::uint64_t Bpe::pair_key(Token left, Token right) noexcept {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

FLASHLM_ONCE void Bpe::read_vocabulary(const storage::JsonField& field, bool of_bytes) {
  vocabulary_.reserve(field.value().size());
  bytes_.fill(-1);
  std::unordered_set<Token> taken;
  taken.reserve(field.value().size());
  field.members([&](const std::string& written, const storage::JsonField& id) {
    const auto token = static_cast<Token>(id.count(0, kMaxTokens - 1));
    if (!taken.insert(token).second) id.wrong("an id that no other token has");
    vocabulary_.emplace(written, token);
    if (!of_bytes) {
      const auto lead = static_cast<unsigned char>(written.empty() ? '\xff' : written.front());
      if (written.size() == 1 && lead < 0x80) bytes_[lead] = token;
      return;
    }
    const std::optional<std::string> bytes = alphabet_to_bytes(written);
    if (!bytes || bytes->empty()) return;
    if (bytes->size() == 1) bytes_[static_cast<unsigned char>(bytes->front())] = token;
    if (ignore_merges_) words_.emplace(*bytes, token);
  });
  fallback_ = byte_tokens(vocabulary_);
  // `tokenizers` falls back only for characters whose bytes are all there; all are, or none counts.
  if (byte_fallback_ && std::count(fallback_.begin(), fallback_.end(), -1) != 0)
    field.refuse("byte_fallback is true, but the tokens <0x00> to <0xFF> are not all there");
}

FLASHLM_ONCE void Bpe::read_merges(const storage::JsonField& field) {
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
    if (!first || !second || !merged)
      entry.wrong("a merge whose parts and result are in the vocabulary");
    merges_.insert_or_assign(pair_key(*first, *second), Merge{rank++, *merged});
  });
}

FLASHLM_INLINE const Bpe::Merge* Bpe::find_merge(Token left, Token right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

FLASHLM_INLINE void Bpe::merge(std::vector<Symbol>& symbols) const {
  std::vector<Candidate> storage;
  storage.reserve(symbols.size());
  std::priority_queue<Candidate> queue(std::less<Candidate>(), std::move(storage));
  const auto at = [&](std::int32_t index) -> Symbol& {
    return symbols[static_cast<std::size_t>(index)];
  };
  const auto offer = [&](std::int32_t left) {
    if (left < 0 || at(left).next < 0) return;
    if (const Merge* found = find_merge(at(left).token, at(at(left).next).token)) {
      queue.push({found->rank, left, found->token});
    }
  };
  for (std::int32_t index = 0; index + 1 < static_cast<std::int32_t>(symbols.size()); ++index)
    offer(index);
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

}  // namespace flashlm::inline FLASHLM_ABI::text

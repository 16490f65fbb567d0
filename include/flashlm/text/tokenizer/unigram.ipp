// SPDX-License-Identifier: Apache-2.0
/// unigram.ipp: the bodies of unigram.hpp.
#pragma once

#include "flashlm/text/tokenizer/unigram.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_ONCE Unigram Unigram::parse(const storage::JsonField& model,
                                    const std::vector<std::string>& control) {
  Unigram result;
  const storage::JsonField vocab = model["vocab"];
  const std::size_t count = vocab.array_size();
  if (count == 0 || count > kMaxTokens) vocab.wrong("pairs of a token and its score");
  double smallest = 0;
  vocab.elements([&](const storage::JsonField& entry) {
    if (entry.array_size() != 2) entry.wrong("a token and its score");
    const double score = entry.at(1).number();
    if (!std::isfinite(score)) entry.at(1).wrong("a finite score");
    smallest = result.scores_.empty() ? score : std::min(smallest, score);
    // Of tokens that are written alike the last counts, as in `tokenizers`.
    result.vocabulary_.insert_or_assign(entry.at(0).string(),
                                        static_cast<Token>(result.scores_.size()));
    result.scores_.push_back(score);
  });
  if (!model["unk_id"].is_null())
    result.unknown_ = static_cast<Token>(model["unk_id"].count(0, count - 1));
  result.unknown_score_ = smallest - kUnknownPenalty;
  result.byte_fallback_ = model["byte_fallback"].flag(false);
  result.fallback_ = byte_tokens(result.vocabulary_);
  std::vector<std::pair<std::string_view, Token>> pieces;
  for (const auto& [written, token] : result.vocabulary_) {
    if (std::find(control.begin(), control.end(), written) == control.end())
      pieces.emplace_back(written, token);
  }
  result.trie_ = ByteTrie(std::move(pieces));
  return result;
}

FLASHLM_INLINE void Unigram::encode(std::string_view word, std::vector<Token>& tokens) const {
  struct Best {
    double score = 0;
    std::size_t begin = 0;  // of the last piece
    Token token = -1;       // -1: a character without a piece
    bool reached = false;
  };
  std::vector<Best> best(word.size() + 1);
  best[0].reached = true;
  const auto offer = [&](std::size_t begin, std::size_t end, Token token, double score) {
    const double sum = best[begin].score + score;
    if (!best[end].reached || sum > best[end].score) best[end] = {sum, begin, token, true};
  };
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t length = utf8_step(word.substr(at)).length;
    bool has_single = false;
    trie_.prefixes(word.substr(at), [&](std::size_t n, Token token) {
      offer(at, at + n, token, scores_[static_cast<std::size_t>(token)]);
      has_single = has_single || n == length;
    });
    if (!has_single) offer(at, at + length, -1, unknown_score_);
    at += length;
  }
  std::vector<std::pair<std::size_t, Token>> pieces;  // begin and token, from the end
  for (std::size_t end = word.size(); end > 0; end = best[end].begin) {
    const bool known = best[end].token >= 0;
    if (!known && !pieces.empty() && pieces.back().second < 0) {
      pieces.back().first = best[end].begin;  // a run without pieces is one
    } else {
      pieces.emplace_back(best[end].begin, known ? best[end].token : -1);
    }
  }
  std::reverse(pieces.begin(), pieces.end());
  for (std::size_t at = 0; at < pieces.size(); ++at) {
    const auto [begin, token] = pieces[at];
    if (token >= 0) {
      tokens.push_back(token);
      continue;
    }
    const std::size_t end = at + 1 < pieces.size() ? pieces[at + 1].first : word.size();
    const std::string_view run = word.substr(begin, end - begin);
    const auto of = [&](char byte) { return fallback_[static_cast<unsigned char>(byte)]; };
    if (byte_fallback_ && std::all_of(run.begin(), run.end(), [&](char c) { return of(c) >= 0; })) {
      for (const char byte : run) tokens.push_back(of(byte));
    } else if (unknown_ >= 0) {
      tokens.push_back(unknown_);
    }
  }
}

FLASHLM_INLINE std::optional<Token> Unigram::id(std::string_view written) const {
  const auto found = vocabulary_.find(written);
  return found == vocabulary_.end() ? std::nullopt : std::optional<Token>(found->second);
}

}  // namespace flashlm::inline FLASHLM_ABI::text

// SPDX-License-Identifier: Apache-2.0
/// topic.hpp: whether a paper is about a topic.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/tools/papers/paper.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// Where a paper shows a topic, from nowhere to most clearly.
enum class TopicMatch { none, summary, keywords, title };

/// Words that a paper must have, all of them, in title, keywords and summary together.
///
/// "LLM agents" asks for both words, "robotics, speech" for one or the other. Case and plural do
/// not count, nor whether an accent is part of a letter or follows it; a word without accents also
/// finds those with them ("Poincare"), one with accents only these. A word of five letters also
/// finds longer ones, and acronyms and what they stand for find each other: "LLM" finds "large
/// language models" (and "MLLMs"), "reinforcement learning" finds "RL". Words of scripts without
/// spaces are found anywhere. Thread-safe.
class Topic {
 public:
  /// Throws ArgumentError if there is no word in it.
  explicit Topic(std::string_view topic);

  /// Whether `text` has all words of the topic.
  bool is_in(std::string_view text) const;

  TopicMatch match(const Paper& paper) const;

 private:
  struct Word {
    std::u32string text;   // caseless, without a plural's s
    std::u32string plain;  // the same without accents
    bool acronym = false;  // written in capitals, two or more
  };
  using Words = std::vector<Word>;

  static constexpr std::u32string_view kCommas = U",;|\uff0c\uff1b\uff5c\u3001\u061b\u060c";
  static constexpr std::u32string_view kStops = U".\u3002\uff0e\u0964";

  static bool is_filler(std::u32string_view word);

  static bool counts(const Word& word) { return word.text != U"." && !is_filler(word.text); }

  static bool is_letter(char32_t code);

  /// Whether the scripts of Chinese, Japanese and South-East Asia, which put no spaces between
  /// words.
  static bool is_unspaced(char32_t code);

  static Words split(std::u32string_view text);

  static Word normal(std::u32string_view written);

  /// Whether each word of `choice` is found in `words`.
  static bool covers(const Words& words, const Words& choice);

  /// Marks the words of the topic that `acronym`, a word of the text, stands for.
  static void mark_spelt_out(const Words& choice, std::u32string_view acronym,
                             std::vector<bool>& found);

  static bool spells(const Words& words, std::size_t at, std::u32string_view acronym);

  static bool has(const Words& words, const Word& wanted);

  /// Whether a word is the wanted one, begins with it, or holds it where its script has no spaces.
  static bool finds(std::u32string_view wanted, std::u32string_view word);

  /// Whether the letters of a topic's word stand for words: in capitals, or without a vowel, or
  /// known for it.
  static bool is_acronym(const Word& word);

  std::vector<Words> choices_;
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/papers/topic.ipp"
#endif

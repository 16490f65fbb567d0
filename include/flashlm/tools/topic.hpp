// SPDX-License-Identifier: Apache-2.0
/// topic.hpp: whether a paper is about a topic.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/tools/paper.hpp"

namespace flashlm::inline v0::tools {

/// Where a paper shows a topic, from nowhere to most clearly.
enum class TopicMatch { none, summary, keywords, title };

/// Words that a paper must have, all of them, in title, keywords and summary together.
///
/// "LLM agents" asks for both words, "robotics, speech" for one or the other. Case and plural do not count, a word of
/// five letters also finds longer ones, and acronyms and what they stand for find each other: "LLM" finds "large
/// language models" (and "MLLMs"), "reinforcement learning" finds "RL". Thread-safe.
class Topic {
 public:
  /// Throws ArgumentError if there is no word in it.
  explicit Topic(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find_first_of(",;|"), text.size());
      Words words = split(text.substr(0, end));
      if (std::any_of(words.begin(), words.end(), [](const Word& word) { return counts(word); })) {
        choices_.push_back(std::move(words));
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (choices_.empty()) throw ArgumentError("[papers] topic: expected words, got none");
  }

  /// Whether `text` has all words of the topic.
  bool is_in(std::string_view text) const {
    const Words words = split(text);
    return std::any_of(choices_.begin(), choices_.end(), [&](const Words& choice) { return covers(words, choice); });
  }

  TopicMatch match(const Paper& paper) const {
    // A full stop between them, so that no acronym is made of words of two of them.
    std::string text = paper.title;
    if (is_in(text)) return TopicMatch::title;
    for (const std::string& keyword : paper.keywords) text += " . " + keyword;
    if (is_in(text)) return TopicMatch::keywords;
    text += " . " + paper.summary + " . " + paper.ai_summary;
    return is_in(text) ? TopicMatch::summary : TopicMatch::none;
  }

 private:
  struct Word {
    std::string text;      // small letters, without a plural's s
    bool acronym = false;  // written in capitals, two or more
  };
  using Words = std::vector<Word>;

  static bool is_filler(std::string_view word) {
    constexpr std::array<std::string_view, 14> kFillers{"a",  "an", "and", "by",  "for", "from", "in",
                                                        "of", "on", "or",  "the", "to",  "via",  "with"};
    return std::find(kFillers.begin(), kFillers.end(), word) != kFillers.end();
  }

  static bool counts(const Word& word) { return word.text != "." && !is_filler(word.text); }

  static Words split(std::string_view text) {
    Words words;
    std::string current;
    const auto finish = [&] {
      if (!current.empty()) words.push_back(normal(current));
      current.clear();
    };
    for (const char c : text) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (letter || static_cast<unsigned char>(c) >= 0x80) {
        current += c;
      } else {
        finish();
        if (c == '.') words.push_back({".", false});  // ends a phrase
      }
    }
    finish();
    return words;
  }

  static Word normal(std::string word) {
    const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
    const std::string_view stem = std::string_view(word).substr(0, word.size() - (word.ends_with('s') ? 1 : 0));
    const bool acronym = stem.size() >= 2 && std::all_of(stem.begin(), stem.end(), capital);
    for (char& c : word) c = capital(c) ? static_cast<char>(c - 'A' + 'a') : c;
    if (word.size() > 4 && word.ends_with("ies")) {
      word.replace(word.size() - 3, 3, "y");
    } else if (word.size() > 3 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us") &&
               !word.ends_with("is")) {
      word.pop_back();
    }
    return {std::move(word), acronym};
  }

  /// Whether each word of `choice` is found in `words`.
  static bool covers(const Words& words, const Words& choice) {
    std::vector<bool> found(choice.size(), false);
    for (std::size_t i = 0; i < choice.size(); ++i) {
      found[i] = !counts(choice[i]) || has(words, choice[i]);
    }
    for (const Word& word : words) {
      if (word.acronym) mark_spelt_out(choice, word.text, found);
    }
    return std::find(found.begin(), found.end(), false) == found.end();
  }

  /// Marks the words of the topic that `acronym`, a word of the text, stands for.
  static void mark_spelt_out(const Words& choice, std::string_view acronym, std::vector<bool>& found) {
    for (std::size_t at = 0; at + acronym.size() <= choice.size(); ++at) {
      if (!spells(choice, at, acronym)) continue;
      std::fill_n(found.begin() + static_cast<std::ptrdiff_t>(at), acronym.size(), true);
    }
  }

  static bool spells(const Words& words, std::size_t at, std::string_view acronym) {
    if (at + acronym.size() > words.size()) return false;
    for (std::size_t i = 0; i < acronym.size(); ++i) {
      if (words[at + i].text.front() != acronym[i]) return false;
    }
    return true;
  }

  static bool has(const Words& words, const Word& wanted) {
    constexpr std::size_t kLongEnough = 5;
    // Of two letters the initials say too little, so these are spelt out.
    constexpr std::array<std::array<std::string_view, 3>, 3> kShort{
        {{"ai", "artificial", "intelligence"}, {"cv", "computer", "vision"}, {"rl", "reinforcement", "learning"}}};
    const std::string& text = wanted.text;
    const bool acronym = is_acronym(wanted);
    for (std::size_t at = 0; at < words.size(); ++at) {
      const Word& word = words[at];
      if (word.text == text) return true;
      if (text.size() >= kLongEnough && word.text.starts_with(text)) return true;
      if (acronym && (spells(words, at, text) || (word.acronym && word.text.ends_with(text)))) return true;
      if (at + 1 == words.size()) continue;
      for (const auto& [letters, first, second] : kShort) {
        if (text == letters && word.text == first && words[at + 1].text == second) return true;
      }
    }
    return false;
  }

  /// Whether the letters of a topic's word stand for words: in capitals, or without a vowel, or known for it.
  static bool is_acronym(const Word& word) {
    constexpr std::array<std::string_view, 6> kKnown{"asr", "gan", "moe", "rag", "vae", "vla"};
    if (word.text.size() < 3 || word.text.size() > 6) return false;
    return word.acronym || word.text.find_first_of("aeiouy0123456789") == std::string::npos ||
           std::find(kKnown.begin(), kKnown.end(), word.text) != kKnown.end();
  }

  std::vector<Words> choices_;
};

}  // namespace flashlm::inline v0::tools

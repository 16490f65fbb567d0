// SPDX-License-Identifier: Apache-2.0
/// topic.ipp: the bodies of topic.hpp.
#pragma once

#include "flashlm/tools/papers/topic.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/text/unicode/unicode.hpp"
#include "flashlm/tools/http/caseless.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE Topic::Topic(std::string_view topic) {
  const std::u32string whole = code_points(topic);
  std::u32string_view text = whole;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(kCommas), text.size());
    Words words = split(text.substr(0, end));
    if (std::any_of(words.begin(), words.end(), [](const Word& word) { return counts(word); })) {
      choices_.push_back(std::move(words));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (choices_.empty()) throw ArgumentError("[papers] topic: expected words, got none");
}

FLASHLM_INLINE bool Topic::is_in(std::string_view text) const {
  const Words words = split(code_points(text));
  return std::any_of(choices_.begin(), choices_.end(),
                     [&](const Words& choice) { return covers(words, choice); });
}

FLASHLM_INLINE TopicMatch Topic::match(const Paper& paper) const {
  // A full stop between them, so that no acronym is made of words of two of them.
  std::string text = paper.title;
  if (is_in(text)) return TopicMatch::title;
  for (const std::string& keyword : paper.keywords) text += " . " + keyword;
  if (is_in(text)) return TopicMatch::keywords;
  text += " . " + paper.summary + " . " + paper.ai_summary;
  return is_in(text) ? TopicMatch::summary : TopicMatch::none;
}

FLASHLM_INLINE bool Topic::is_filler(std::u32string_view word) {
  constexpr std::array<std::u32string_view, 14> kFillers{U"a",    U"an", U"and", U"by",  U"for",
                                                         U"from", U"in", U"of",  U"on",  U"or",
                                                         U"the",  U"to", U"via", U"with"};
  return std::find(kFillers.begin(), kFillers.end(), word) != kFillers.end();
}

FLASHLM_INLINE bool Topic::is_letter(char32_t code) {
  return code != '_' && (text::is_word(code) || text::is_number(code) || is_mark(code));
}

FLASHLM_INLINE bool Topic::is_unspaced(char32_t code) {
  return (code >= 0x0e00 && code < 0x0f00) || (code >= 0x1000 && code < 0x10a0) ||
         (code >= 0x1780 && code < 0x1800) || (code >= 0x3040 && code < 0x3100) ||
         (code >= 0x3400 && code < 0xa000) || (code >= 0xf900 && code < 0xfb00) ||
         (code >= 0x20000 && code < 0x32000);
}

FLASHLM_INLINE Topic::Words Topic::split(std::u32string_view text) {
  Words words;
  std::u32string current;
  const auto finish = [&] {
    if (!current.empty()) words.push_back(normal(current));
    current.clear();
  };
  for (const char32_t c : text) {
    if (is_letter(c)) {
      current += c;
    } else if (c != 0xad && !(c >= 0x200b && c <= 0x200d)) {  // hyphens and joints that nobody sees
      finish();
      if (kStops.find(c) != kStops.npos) words.push_back({U".", U".", false});  // ends a phrase
    }
  }
  finish();
  return words;
}

FLASHLM_INLINE Topic::Word Topic::normal(std::u32string_view written) {
  const auto capital = [](char32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z';
    return !is_mark(c) && caseless({&c, 1}) != detail::decomposed({&c, 1});
  };
  const std::u32string_view stem =
      written.substr(0, written.size() - (written.ends_with(U's') ? 1 : 0));
  const bool acronym = stem.size() >= 2 && std::all_of(stem.begin(), stem.end(), capital);
  std::u32string word = caseless(written);
  if (word.size() > 4 && word.ends_with(U"ies")) {
    word.replace(word.size() - 3, 3, U"y");
  } else if (word.size() > 3 && word.ends_with(U's') && !word.ends_with(U"ss") &&
             !word.ends_with(U"us") && !word.ends_with(U"is")) {
    word.pop_back();
  }
  std::u32string plain = word;
  std::erase_if(plain, [](char32_t c) {
    return c >= 0x300 && c < 0x370;
  });  // accents of Latin, Greek and Cyrillic
  return {std::move(word), std::move(plain), acronym};
}

FLASHLM_INLINE bool Topic::covers(const Words& words, const Words& choice) {
  std::vector<bool> found(choice.size(), false);
  for (std::size_t i = 0; i < choice.size(); ++i) {
    found[i] = !counts(choice[i]) || has(words, choice[i]);
  }
  for (const Word& word : words) {
    if (word.acronym) mark_spelt_out(choice, word.text, found);
  }
  return std::find(found.begin(), found.end(), false) == found.end();
}

FLASHLM_INLINE void Topic::mark_spelt_out(const Words& choice, std::u32string_view acronym,
                                          std::vector<bool>& found) {
  for (std::size_t at = 0; at + acronym.size() <= choice.size(); ++at) {
    if (!spells(choice, at, acronym)) continue;
    std::fill_n(found.begin() + static_cast<std::ptrdiff_t>(at), acronym.size(), true);
  }
}

FLASHLM_INLINE bool Topic::spells(const Words& words, std::size_t at, std::u32string_view acronym) {
  if (at + acronym.size() > words.size()) return false;
  for (std::size_t i = 0; i < acronym.size(); ++i) {
    if (words[at + i].text.front() != acronym[i]) return false;
  }
  return true;
}

FLASHLM_INLINE bool Topic::has(const Words& words, const Word& wanted) {
  // Of two letters the initials say too little, so these are spelt out.
  constexpr std::array<std::array<std::u32string_view, 3>, 3> kShort{
      {{U"ai", U"artificial", U"intelligence"},
       {U"cv", U"computer", U"vision"},
       {U"rl", U"reinforcement", U"learning"}}};
  const std::u32string& text = wanted.text;
  const bool acronym = is_acronym(wanted);
  for (std::size_t at = 0; at < words.size(); ++at) {
    const Word& word = words[at];
    if (finds(text, word.text) || finds(text, word.plain)) return true;
    if (acronym && (spells(words, at, text) || (word.acronym && word.text.ends_with(text))))
      return true;
    if (at + 1 == words.size()) continue;
    for (const auto& [letters, first, second] : kShort) {
      if (text == letters && word.text == first && words[at + 1].text == second) return true;
    }
  }
  return false;
}

FLASHLM_INLINE bool Topic::finds(std::u32string_view wanted, std::u32string_view word) {
  constexpr std::ptrdiff_t kLongEnough = 5;
  if (word == wanted) return true;
  if (std::all_of(wanted.begin(), wanted.end(), &is_unspaced))
    return word.find(wanted) != word.npos;
  const auto n_letters =
      std::count_if(wanted.begin(), wanted.end(), [](char32_t c) { return !is_mark(c); });
  if (n_letters < kLongEnough || !word.starts_with(wanted)) return false;
  return word.size() == wanted.size() ||
         !is_mark(word[wanted.size()]);  // the last letter has no other accent
}

FLASHLM_INLINE bool Topic::is_acronym(const Word& word) {
  constexpr std::array<std::u32string_view, 6> kKnown{U"asr", U"gan", U"moe",
                                                      U"rag", U"vae", U"vla"};
  if (word.text.size() < 3 || word.text.size() > 6) return false;
  const bool no_vowel = std::all_of(word.text.begin(), word.text.end(), [](char32_t c) {
    return c < 0x80 &&
           std::u32string_view(U"aeiouy0123456789").find(c) == std::u32string_view::npos;
  });
  return word.acronym || no_vowel ||
         std::find(kKnown.begin(), kKnown.end(), word.text) != kKnown.end();
}

}  // namespace flashlm::inline FLASHLM_ABI::tools

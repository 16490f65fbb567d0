// SPDX-License-Identifier: Apache-2.0
/// pattern_states.hpp: languages of characters as deterministic automata: of patterns, of lengths,
/// of words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/text/grammar/automaton/pattern.hpp"
#include "flashlm/text/unicode/code_points.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A regular language of characters. Immutable; every state that is kept leads to an end.
class PatternStates {
 public:
  using State = std::uint32_t;

  static constexpr State kDead = std::numeric_limits<State>::max();
  static constexpr std::size_t kMostStates = 4'096;
  static constexpr std::size_t kMostWork = std::size_t{1} << 24;  // places that are looked at
  static constexpr std::uint64_t kEndless = std::numeric_limits<std::uint64_t>::max();

  /// The texts in which a pattern is found. Throws FormatError if it needs more than kMostStates
  /// states, and as Pattern does.
  static PatternStates of_pattern(std::string_view pattern,
                                  PatternReading reading = PatternReading::certain);

  /// All texts of `least` to `most` characters.
  static PatternStates of_length(std::uint64_t least, std::uint64_t most);

  /// Exactly these words, which are UTF-8.
  static PatternStates of_words(const std::vector<std::string>& words);

  /// The texts that two languages have in common. Throws FormatError if that needs more than
  /// kMostStates states.
  static PatternStates both(const PatternStates& left, const PatternStates& right);

  /// All other texts.
  PatternStates complement() const;

  /// No text at all.
  bool empty() const noexcept { return accepts_.empty(); }
  std::size_t size() const noexcept { return accepts_.size(); }
  bool accepts(State state) const { return state != kDead && accepts_[state]; }

  /// Whether a text, which is UTF-8, is one of the language.
  bool contains(std::string_view text) const;

  /// Where the characters of a state lead, each other state once.
  std::map<State, CodePoints> steps(State state) const;

  /// Characters of the shortest and of the longest text; kEndless if there is no longest. Not for
  /// no text at all.
  std::pair<std::uint64_t, std::uint64_t> lengths() const;

 private:
  PatternStates() = default;

  [[noreturn]] static void refuse();

  static std::vector<char32_t> characters(std::string_view text);

  /// Makes classes of characters that no set tells apart. Only those from their first characters on
  /// are kept.
  void split(const std::vector<CodePoints>& sets);

  std::size_t class_of(char32_t point) const;

  State next(State state, char32_t point) const {
    return table_[state * starts_.size() + class_of(point)];
  }

  void add_state(bool accepts);

  /// Without the states that lead to no end; nothing is left of a language without texts.
  PatternStates trimmed() const;

  std::vector<char32_t> starts_;  // of each class of characters, the first is 0
  std::vector<bool> accepts_;     // by state; the first is where texts begin
  std::vector<State> table_;      // [states, classes]
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/automaton/pattern_states.ipp"
#endif

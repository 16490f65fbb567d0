// SPDX-License-Identifier: Apache-2.0
/// json_rules.hpp: the rules of JSON's values (RFC 8259), with one spelling of spaces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/text/grammar/json/json_numbers.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Builds nodes for pieces of JSON. Spaces are written as Python's json.dumps writes them: one
/// after each ',' and ':', none elsewhere. So fewer tokens are a choice, and small models have seen
/// this form most often.
///
/// Strings hold any UTF-8 and any escape, with surrogates in pairs.
class JsonRules {
 public:
  using Node = GrammarRules::Node;

  static constexpr std::uint64_t kNoLimit = GrammarRules::kNoLimit;
  explicit JsonRules(GrammarRules& rules);

  GrammarRules& rules() noexcept { return *rules_; }
  JsonNumbers& numbers() noexcept { return numbers_; }
  static constexpr Node end() noexcept { return GrammarRules::end(); }
  Node nothing() { return rules_->either({}); }

  /// A string of `least` to `most` characters.
  Node string(std::uint64_t least, std::uint64_t most, Node next);

  /// A string that is none of `taken`. Until it differs from all of them it is plain ASCII, so that
  /// no escape hides one.
  Node other_string(std::vector<std::string> taken, Node next);

  /// One of `texts`. What they begin with in common is shared.
  Node one_of(std::vector<std::string> texts, Node next);

  /// "[", `least` to `most` of the rule `item`, "]".
  Node array(Node item, std::uint64_t least, std::uint64_t most, Node next);

  /// `least` to `most` times ", " and the rule `item`.
  Node more_items(Node item, std::uint64_t least, std::uint64_t most, Node next);

  /// "true" or "false".
  Node boolean(Node next) { return one_of({"true", "false"}, next); }

  /// Any value, nested at most kDeepest deep.
  Node any(Node next) { return rules_->call(any_, next); }

  /// `text` as a JSON string of itself, with the escapes that are needed and no others.
  static std::string quoted(std::string_view text);

 private:
  static constexpr int kDeepest = 16;
  Node maybe(Node node, Node next) { return rules_->either({node, next}); }

  /// A character of a string: a scalar value in UTF-8, or an escape.
  Node make_character();

  /// Levels instead of recursion: readers of JSON have limits on its depth.
  Node make_any();

  /// Calls visit(byte, first, last) for each group of sorted texts that has the same byte at `at`.
  template <class Visit>
  static void groups(const std::vector<std::string>& texts, std::size_t first, std::size_t last,
                     std::size_t at, Visit&& visit) {
    while (first < last) {
      std::size_t group = first + 1;
      while (group < last && texts[group][at] == texts[first][at]) ++group;
      visit(texts[first][at], first, group);
      first = group;
    }
  }

  Node other_tail(const std::vector<std::string>& taken, std::size_t first, std::size_t last,
                  std::size_t at, Node free, Node close);

  Node one_tail(const std::vector<std::string>& texts, std::size_t first, std::size_t last,
                std::size_t at, Node next, int depth);

  GrammarRules* rules_;
  JsonNumbers numbers_;
  Node character_;  // rules
  Node any_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/json/json_rules.ipp"
#endif

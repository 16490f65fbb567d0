// SPDX-License-Identifier: Apache-2.0
/// json_strings.hpp: the rules of JSON strings whose characters follow an automaton.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/text/grammar/automaton/pattern_states.hpp"
#include "flashlm/text/unicode/code_points.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Builds nodes for strings of a PatternStates. Each character has one spelling: itself, or the
/// shortest escape where JSON wants one.
class JsonStrings {
 public:
  using Node = GrammarRules::Node;

  explicit JsonStrings(GrammarRules& rules) : rules_(&rules) {}

  /// A rule: the strings of `states` in quotes.
  Node rule(const PatternStates& states);

 private:
  /// The ways to write one character of `set`.
  void add_ways(const CodePoints& set, Node next, std::vector<Node>& ways);

  /// The rule of a character that needs an escape or several bytes.
  Node make_rest(const CodePoints& set);

  void add_range(const CodePoints::Range& range, std::vector<Node>& ways);

  /// The bytes from `at` on of characters between two with as many bytes.
  Node between(const std::string& low, const std::string& high, std::size_t at);

  Node continuations(std::size_t n);

  GrammarRules* rules_;
  std::map<CodePoints, Node> rest_;  // rules of characters that need more than one byte
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/json/json_strings.ipp"
#endif

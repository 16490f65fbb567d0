// SPDX-License-Identifier: Apache-2.0
/// json_multiples.hpp: the rules of whole numbers that are multiples of another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Builds nodes for whole numbers by long division: a place is how many digits stand there and what
/// is left over.
class JsonMultiples {
 public:
  using Node = GrammarRules::Node;

  static constexpr std::int64_t kMostPlaces = 4'096;

  explicit JsonMultiples(GrammarRules& rules) : rules_(&rules) {}

  /// A multiple of `divisor`, which is above 0, in [least, most], then `next`. The largest are left
  /// out where they would need more than kMostPlaces. Nothing if all but 0 are.
  std::optional<Node> multiple(std::int64_t divisor, std::int64_t least, std::int64_t most,
                               Node next);

 private:
  struct Search {
    std::string low;  // bounds with as many digits
    std::string high;
    std::int64_t divisor;
    Node end;
    std::map<std::tuple<std::size_t, std::int64_t, bool, bool>, std::optional<Node>> known{};
  };

  void magnitudes(std::int64_t divisor, std::int64_t low, std::int64_t high, std::string_view sign,
                  Node next, std::vector<Node>& ways);

  /// The digits from `at` on, when the ones before leave `rest`; nothing if none lead to a
  /// multiple.
  std::optional<Node> after(Search& search, std::size_t at, std::int64_t rest, bool on_low,
                            bool on_high);

  GrammarRules* rules_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/json/json_multiples.ipp"
#endif

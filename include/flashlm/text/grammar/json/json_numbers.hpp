// SPDX-License-Identifier: Apache-2.0
/// json_numbers.hpp: the rules of JSON's numbers, within bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Builds nodes for numbers as JSON writes them (RFC 8259, section 6): at most 15 digits before and
/// after the point and 2 in the exponent, so that every reader holds them. Whole numbers with
/// bounds have up to 18.
class JsonNumbers {
 public:
  using Node = GrammarRules::Node;

  /// Bounds of a whole number; both ends are included unless the flag says otherwise.
  struct Range {
    std::optional<std::int64_t> least{};
    std::optional<std::int64_t> most{};
    bool above_least = false;
    bool below_most = false;
  };

  static constexpr std::int64_t kLargestPlain =
      999'999'999'999'999;  // 15 digits: exact in a double
  static constexpr std::int64_t kLargestBound =
      999'999'999'999'999'999;  // 18 digits: exact in 64 bits

  explicit JsonNumbers(GrammarRules& rules)
      : rules_(&rules), digit_(rules.bytes(byte_range('0', '9'), end())) {}

  /// A whole number in `range`, without point or exponent.
  Node integer(const Range& range, Node next);

  /// A number in [least, most], 0 <= least, whose fraction is any; at most 15 digits.
  Node with_fraction(std::int64_t least, std::int64_t most, Node next);

  /// Any number.
  Node plain(Node next);

  /// The least and the most whole number in `range`.
  static std::pair<std::int64_t, std::int64_t> whole_bounds(const Range& range);

 private:
  enum class Fraction { none, any };

  static constexpr int kDigitsKept = 15;

  static constexpr Node end() noexcept { return GrammarRules::end(); }
  Node maybe(Node node, Node next) { return rules_->either({node, next}); }

  static int n_digits(std::int64_t value);

  /// A whole number in [least, most], 0 <= least, then perhaps a fraction.
  Node whole(std::int64_t least, std::int64_t most, Node next, Fraction fraction);

  /// The digits from `at` on of a number between two of the same length; `low_bound` while all
  /// digits were those of low.
  Node between(std::string_view low, std::string_view high, std::size_t at, bool low_bound,
               bool high_bound, Node next);

  static std::uint64_t fraction_digits(int digits);

  Node any_fraction(int digits, Node next);

  GrammarRules* rules_;
  Node digit_;  // the rule of one
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/json/json_numbers.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// json_decimals.hpp: the rules of JSON's numbers between bounds that may have a fraction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/text/grammar/json/json_numbers.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A bound of a number, as it is written in decimal digits.
struct JsonDecimal {
  bool negative = false;
  std::int64_t whole = 0;  // without the sign
  std::string fraction{};  // digits, the last of which is not 0
  bool excluded = false;   // the number itself is no good

  /// The shortest digits that mean `value`. What is larger than any number that is written becomes
  /// just that.
  static JsonDecimal of(double value, bool excluded);

  /// By value; whether the bounds are excluded counts for nothing.
  friend bool operator<(const JsonDecimal& left, const JsonDecimal& right) {
    if (left.negative != right.negative) return left.negative;
    const bool is_nearer =
        left.whole != right.whole ? left.whole < right.whole : left.fraction < right.fraction;
    const bool is_same = left.whole == right.whole && left.fraction == right.fraction;
    return !is_same && is_nearer != left.negative;
  }
};

/// Builds nodes for numbers without an exponent and with at most 15 digits, so that no rounding
/// passes a bound.
class JsonDecimals {
 public:
  using Node = GrammarRules::Node;

  explicit JsonDecimals(GrammarRules& rules, JsonNumbers& numbers);

  /// A number of at least `least` and at most `most`, then `next`.
  Node number(const std::optional<JsonDecimal>& least, const std::optional<JsonDecimal>& most,
              Node next);

 private:
  static constexpr std::size_t kDigitsKept = 15;

  static JsonDecimal smaller(const JsonDecimal& one, const JsonDecimal& other);

  /// Between two bounds, none of which counts as negative.
  Node between(const JsonDecimal& low, const JsonDecimal& high, Node next);

  /// What may follow the digits before the point; a bound that is null is far away.
  Node tail(std::int64_t whole, const JsonDecimal* low, const JsonDecimal* high, Node next);

  /// At least one digit behind the point, from `at` on. `low`, `high`: null when the digits so far
  /// lie off that bound.
  Node digits(std::size_t at, std::size_t most, const JsonDecimal* low, const JsonDecimal* high,
              Node next);

  /// Whether the number may end when its first `n` digits behind the point are those of a bound.
  static bool may_end(std::size_t n, const JsonDecimal* low, const JsonDecimal* high);

  GrammarRules* rules_;
  JsonNumbers* numbers_;
  Node digit_;  // the rule of one
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/json/json_decimals.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// json_numbers.ipp: the bodies of json_numbers.hpp.
#pragma once

#include "flashlm/text/grammar/json/json_numbers.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonNumbers::Node JsonNumbers::integer(const Range& range, Node next) {
  const auto [least, most] = whole_bounds(range);
  std::vector<Node> ways;
  if (most >= 0)
    ways.push_back(whole(std::max<std::int64_t>(least, 0), most, next, Fraction::none));
  if (least < 0) {
    ways.push_back(rules_->literal("-", whole(most < 0 ? -most : 1, -least, next, Fraction::none)));
  }
  return rules_->either(ways);
}

FLASHLM_INLINE JsonNumbers::Node JsonNumbers::with_fraction(std::int64_t least, std::int64_t most,
                                                            Node next) {
  return whole(least, most, next, Fraction::any);
}

FLASHLM_INLINE JsonNumbers::Node JsonNumbers::plain(Node next) {
  const auto digits = [&](std::uint64_t least, std::uint64_t most, Node node) {
    return rules_->loop(digit_, least, most, node);
  };
  const Node exponent = rules_->bytes(
      bytes_of("eE"), maybe(rules_->bytes(bytes_of("+-"), digits(1, 2, next)), digits(1, 2, next)));
  const Node tail = maybe(exponent, next);
  const Node fraction = maybe(rules_->literal(".", digits(1, kDigitsKept, tail)), tail);
  const Node number =
      maybe(rules_->literal("0", fraction),
            rules_->bytes(byte_range('1', '9'), digits(0, kDigitsKept - 1, fraction)));
  return maybe(rules_->literal("-", number), number);
}

FLASHLM_INLINE std::pair<std::int64_t, std::int64_t> JsonNumbers::whole_bounds(const Range& range) {
  std::int64_t least = range.least ? *range.least + (range.above_least ? 1 : 0) : -kLargestPlain;
  std::int64_t most = range.most ? *range.most - (range.below_most ? 1 : 0) : kLargestPlain;
  if (!range.most && least > most) most = kLargestBound;
  if (!range.least && most < least) least = -kLargestBound;
  return {least, most};
}

FLASHLM_INLINE int JsonNumbers::n_digits(std::int64_t value) {
  return static_cast<int>(std::to_string(value).size());
}

FLASHLM_INLINE JsonNumbers::Node JsonNumbers::whole(std::int64_t least, std::int64_t most,
                                                    Node next, Fraction fraction) {
  std::vector<Node> ways;
  if (least <= most) {
    std::int64_t power = 1;  // of 10, with as many digits as `least`
    for (int digits = 1; digits < n_digits(least); ++digits) power *= 10;
    for (int digits = n_digits(least); digits <= n_digits(most); ++digits, power *= 10) {
      const Node tail = fraction == Fraction::any ? any_fraction(digits, next) : next;
      const std::string low = std::to_string(std::max(least, digits == 1 ? 0 : power));
      const std::string high = std::to_string(std::min(most, power * 10 - 1));
      ways.push_back(between(low, high, 0, true, true, tail));
    }
  }
  return rules_->either(ways);
}

FLASHLM_INLINE JsonNumbers::Node JsonNumbers::between(std::string_view low, std::string_view high,
                                                      std::size_t at, bool low_bound,
                                                      bool high_bound, Node next) {
  if (at == low.size()) return next;
  if (!low_bound && !high_bound)
    return rules_->loop(digit_, low.size() - at, low.size() - at, next);
  char first = low_bound ? low[at] : '0';
  char last = high_bound ? high[at] : '9';
  const auto digit = [&](char from, char to, bool on_low, bool on_high) {
    return rules_->bytes(
        byte_range(static_cast<unsigned char>(from), static_cast<unsigned char>(to)),
        between(low, high, at + 1, on_low, on_high, next));
  };
  if (first == last) return digit(first, last, low_bound, high_bound);
  std::vector<Node> ways;
  if (low_bound) ways.push_back(digit(first, first, true, false)), ++first;
  if (high_bound) ways.push_back(digit(last, last, false, true)), --last;
  if (first <= last) ways.push_back(digit(first, last, false, false));
  return rules_->either(ways);
}

FLASHLM_INLINE std::uint64_t JsonNumbers::fraction_digits(int digits) {
  return static_cast<std::uint64_t>(std::max(kDigitsKept - digits, 0));
}

FLASHLM_INLINE JsonNumbers::Node JsonNumbers::any_fraction(int digits, Node next) {
  const std::uint64_t most = fraction_digits(digits);
  return most == 0 ? next : maybe(rules_->literal(".", rules_->loop(digit_, 1, most, next)), next);
}

}  // namespace flashlm::inline FLASHLM_ABI::text

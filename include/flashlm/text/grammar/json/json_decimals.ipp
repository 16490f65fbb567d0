// SPDX-License-Identifier: Apache-2.0
/// json_decimals.ipp: the bodies of json_decimals.hpp.
#pragma once

#include "flashlm/text/grammar/json/json_decimals.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonDecimal JsonDecimal::of(double value, bool excluded) {
  JsonDecimal result{std::signbit(value), 0, {}, excluded};
  if (!(std::abs(value) <= static_cast<double>(JsonNumbers::kLargestPlain))) {
    result.whole = JsonNumbers::kLargestPlain + 1;
    return result;
  }
  std::array<char, 400> digits{};  // 1e-308 has as many zeros
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), std::abs(value),
                                 std::chars_format::fixed);
  const std::string_view text(digits.data(), static_cast<std::size_t>(end.ptr - digits.data()));
  const std::size_t point = std::min(text.find('.'), text.size());
  std::from_chars(text.data(), text.data() + point, result.whole);
  result.fraction = text.substr(std::min(point + 1, text.size()));
  while (result.fraction.ends_with('0')) result.fraction.pop_back();
  if (result.whole == 0 && result.fraction.empty()) result.negative = false;
  return result;
}

FLASHLM_INLINE JsonDecimals::JsonDecimals(GrammarRules& rules, JsonNumbers& numbers)
    : rules_(&rules),
      numbers_(&numbers),
      digit_(rules.bytes(byte_range('0', '9'), GrammarRules::end())) {}

FLASHLM_INLINE JsonDecimals::Node JsonDecimals::number(const std::optional<JsonDecimal>& least,
                                                       const std::optional<JsonDecimal>& most,
                                                       Node next) {
  const JsonDecimal zero;
  const JsonDecimal largest{false, JsonNumbers::kLargestPlain, {}, false};
  std::vector<Node> ways;
  if (!most || !most->negative) {
    const bool from_zero = !least || least->negative;
    ways.push_back(
        between(from_zero ? zero : *least, most ? smaller(*most, largest) : largest, next));
  }
  if (!least || least->negative) {
    const bool to_zero = !most || !most->negative;
    JsonDecimal nearest = to_zero ? zero : *most;
    if (most && !most->negative && most->whole == 0 && most->fraction.empty())
      nearest.excluded = most->excluded;
    ways.push_back(
        rules_->literal("-", between(nearest, least ? smaller(*least, largest) : largest, next)));
  }
  return rules_->either(ways);
}

FLASHLM_INLINE JsonDecimal JsonDecimals::smaller(const JsonDecimal& one, const JsonDecimal& other) {
  return one.whole > other.whole ? other : one;
}

FLASHLM_INLINE JsonDecimals::Node JsonDecimals::between(const JsonDecimal& low,
                                                        const JsonDecimal& high, Node next) {
  std::vector<Node> ways;
  if (low.whole == high.whole) {
    ways.push_back(rules_->literal(std::to_string(low.whole), tail(low.whole, &low, &high, next)));
  } else if (low.whole < high.whole) {
    const bool whole_low = low.fraction.empty() && !low.excluded;
    if (!whole_low)
      ways.push_back(
          rules_->literal(std::to_string(low.whole), tail(low.whole, &low, nullptr, next)));
    ways.push_back(numbers_->with_fraction(low.whole + (whole_low ? 0 : 1), high.whole - 1, next));
    ways.push_back(
        rules_->literal(std::to_string(high.whole), tail(high.whole, nullptr, &high, next)));
  }
  return rules_->either(ways);
}

FLASHLM_INLINE JsonDecimals::Node JsonDecimals::tail(std::int64_t whole, const JsonDecimal* low,
                                                     const JsonDecimal* high, Node next) {
  const std::size_t used = std::to_string(whole).size();
  const std::size_t most = used < kDigitsKept ? kDigitsKept - used : 0;
  std::vector<Node> ways;
  if (may_end(0, low, high)) ways.push_back(next);
  if (most > 0) ways.push_back(rules_->literal(".", digits(0, most, low, high, next)));
  return rules_->either(ways);
}

FLASHLM_INLINE JsonDecimals::Node JsonDecimals::digits(std::size_t at, std::size_t most,
                                                       const JsonDecimal* low,
                                                       const JsonDecimal* high, Node next) {
  if (low == nullptr && high == nullptr) return rules_->loop(digit_, 1, most - at, next);
  const char first = low != nullptr && at < low->fraction.size() ? low->fraction[at] : '0';
  const char last = high == nullptr ? '9' : at < high->fraction.size() ? high->fraction[at] : '0';
  std::vector<Node> ways;
  const auto add = [&](char from, char to, const JsonDecimal* on_low, const JsonDecimal* on_high) {
    if (from > to) return;
    std::vector<Node> then;
    if (may_end(at + 1, on_low, on_high)) then.push_back(next);
    if (at + 1 < most) then.push_back(digits(at + 1, most, on_low, on_high, next));
    const ByteSet set =
        byte_range(static_cast<unsigned char>(from), static_cast<unsigned char>(to));
    ways.push_back(rules_->bytes(set, rules_->either(then)));
  };
  if (first == last) {
    add(first, last, low, high);
  } else if (first < last) {
    add(first, first, low, nullptr);
    add(static_cast<char>(first + 1), static_cast<char>(last - 1), nullptr, nullptr);
    add(last, last, nullptr, high);
  }
  return rules_->either(ways);
}

FLASHLM_INLINE bool JsonDecimals::may_end(std::size_t n, const JsonDecimal* low,
                                          const JsonDecimal* high) {
  const bool on_low = low != nullptr && low->fraction.size() <= n;     // it is the bound
  const bool on_high = high != nullptr && high->fraction.size() <= n;  // else it is below
  if (low != nullptr && (!on_low || low->excluded)) return false;
  return !on_high || !high->excluded;
}

}  // namespace flashlm::inline FLASHLM_ABI::text

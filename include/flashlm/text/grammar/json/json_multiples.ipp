// SPDX-License-Identifier: Apache-2.0
/// json_multiples.ipp: the bodies of json_multiples.hpp.
#pragma once

#include "flashlm/text/grammar/json/json_multiples.hpp"

#include <algorithm>

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE std::optional<JsonMultiples::Node> JsonMultiples::multiple(std::int64_t divisor,
                                                                          std::int64_t least,
                                                                          std::int64_t most,
                                                                          Node next) {
  std::vector<Node> ways;
  bool is_cut = false;
  if (least <= 0 && most >= 0) ways.push_back(rules_->literal("0", next));
  const std::size_t n_zero = ways.size();
  const auto add = [&](std::string_view sign, std::int64_t low, std::int64_t high) {
    if (low > high) return;
    const std::size_t before = ways.size();
    magnitudes(divisor, low, high, sign, next, ways);
    is_cut = is_cut || ways.size() == before;
  };
  add("", std::max<std::int64_t>(least, 1), most);
  add("-", std::max<std::int64_t>(-most, 1), -least);
  if (is_cut && ways.size() == n_zero) return std::nullopt;
  return rules_->either(ways);
}

FLASHLM_INLINE void JsonMultiples::magnitudes(std::int64_t divisor, std::int64_t low,
                                              std::int64_t high, std::string_view sign, Node next,
                                              std::vector<Node>& ways) {
  std::size_t zeros = 0;  // that all multiples end with
  while (divisor % 10 == 0) {
    divisor /= 10;
    low = (low + 9) / 10;
    high /= 10;
    ++zeros;
  }
  const Node end = rules_->literal(std::string(zeros, '0'), next);
  std::int64_t places = 0;
  const auto n_digits = [](std::int64_t value) { return std::to_string(value).size(); };
  for (std::size_t digits = n_digits(low); low <= high && digits <= n_digits(high); ++digits) {
    std::int64_t rests = 1;  // that so many digits may leave
    for (std::size_t at = 0; at < digits; ++at, rests = std::min(rests * 10, divisor))
      places += rests;
    if (places > kMostPlaces) return;
    const std::string nines(digits, '9');
    std::string first = "1" + std::string(digits - 1, '0');
    if (n_digits(low) == digits) first = std::to_string(low);
    const std::string last = n_digits(high) == digits ? std::to_string(high) : nines;
    Search search{first, last, divisor, end};
    if (const std::optional<Node> found = after(search, 0, 0, true, true))
      ways.push_back(rules_->literal(sign, *found));
  }
}

FLASHLM_INLINE std::optional<JsonMultiples::Node> JsonMultiples::after(Search& search,
                                                                       std::size_t at,
                                                                       std::int64_t rest,
                                                                       bool on_low, bool on_high) {
  if (at == search.low.size()) return rest == 0 ? std::optional<Node>(search.end) : std::nullopt;
  const auto key = std::make_tuple(at, rest, on_low, on_high);
  const auto known = search.known.find(key);
  if (known != search.known.end()) return known->second;
  std::map<Node, ByteSet> ways;
  const char first = on_low ? search.low[at] : '0';
  const char last = on_high ? search.high[at] : '9';
  for (char digit = first; digit <= last; ++digit) {
    const std::optional<Node> then =
        after(search, at + 1, (rest * 10 + (digit - '0')) % search.divisor,
              on_low && digit == first, on_high && digit == last);
    if (then) ways[*then].set(static_cast<unsigned char>(digit));
  }
  std::vector<Node> nodes;
  for (const auto& [then, set] : ways) nodes.push_back(rules_->bytes(set, then));
  return search.known[key] =
             nodes.empty() ? std::nullopt : std::optional<Node>(rules_->either(nodes));
}

}  // namespace flashlm::inline FLASHLM_ABI::text

// SPDX-License-Identifier: Apache-2.0
/// json_strings.ipp: the bodies of json_strings.hpp.
#pragma once

#include "flashlm/text/grammar/json/json_strings.hpp"

#include <array>
#include <string_view>

#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonStrings::Node JsonStrings::rule(const PatternStates& states) {
  if (states.empty()) return rules_->either({});
  const Node close = rules_->literal("\"", GrammarRules::end());
  std::vector<Node> places(states.size());
  for (Node& each : places) each = rules_->declare();
  for (PatternStates::State state = 0; state < states.size(); ++state) {
    std::vector<Node> ways;
    if (states.accepts(state)) ways.push_back(close);
    for (const auto& [to, set] : states.steps(state)) add_ways(set, places[to], ways);
    rules_->define(places[state], rules_->either(ways));
  }
  return rules_->literal("\"", places[0]);
}

FLASHLM_INLINE void JsonStrings::add_ways(const CodePoints& set, Node next,
                                          std::vector<Node>& ways) {
  ByteSet plain;
  for (char32_t point = 0x20; point < 0x80; ++point) {
    if (point != '"' && point != '\\' && set.contains(point)) plain.set(point);
  }
  if (plain.any()) ways.push_back(rules_->bytes(plain, next));
  CodePoints rest = set.within(0, 0x1F);
  rest.add(set.within('"', '"'));
  rest.add(set.within('\\', '\\'));
  rest.add(set.within(0x80, CodePoints::kLargest));
  if (rest.empty()) return;
  const auto [found, is_new] = rest_.try_emplace(rest, 0);
  if (is_new) found->second = make_rest(rest);
  ways.push_back(rules_->call(found->second, next));
}

FLASHLM_INLINE JsonStrings::Node JsonStrings::make_rest(const CodePoints& set) {
  std::vector<Node> ways;
  std::string letters;  // behind a backslash
  std::array<ByteSet, 2> digits;
  for (char32_t point = 0; point <= '\\'; ++point) {
    if (!set.contains(point)) continue;
    const std::size_t at = std::string_view("\"\\\b\f\n\r\t").find(static_cast<char>(point));
    if (at != std::string_view::npos) {
      letters += "\"\\bfnrt"[at];
    } else {
      digits[point / 16].set(static_cast<unsigned char>("0123456789abcdef"[point % 16]));
    }
  }
  std::vector<Node> escapes;
  if (!letters.empty()) escapes.push_back(rules_->bytes(bytes_of(letters), GrammarRules::end()));
  for (std::size_t high = 0; high < 2; ++high) {
    if (digits[high].none()) continue;
    const Node low = rules_->bytes(digits[high], GrammarRules::end());
    escapes.push_back(rules_->literal(high == 0 ? "u000" : "u001", low));
  }
  if (!escapes.empty()) ways.push_back(rules_->literal("\\", rules_->either(escapes)));
  // Up to the last character of as many bytes.
  char32_t first = 0x80;
  for (const char32_t last : {char32_t{0x7FF}, char32_t{0xFFFF}, CodePoints::kLargest}) {
    const CodePoints part = set.within(first, last);
    for (const CodePoints::Range& range : part.ranges()) add_range(range, ways);
    first = last + 1;
  }
  return rules_->either(ways);
}

FLASHLM_INLINE void JsonStrings::add_range(const CodePoints::Range& range,
                                           std::vector<Node>& ways) {
  std::string low;
  std::string high;
  append_utf8(low, range.first);
  append_utf8(high, range.last);
  ways.push_back(between(low, high, 0));
}

FLASHLM_INLINE JsonStrings::Node JsonStrings::between(const std::string& low,
                                                      const std::string& high, std::size_t at) {
  const auto byte = [](char value) { return static_cast<unsigned char>(value); };
  if (at + 1 == low.size())
    return rules_->bytes(byte_range(byte(low[at]), byte(high[at])), GrammarRules::end());
  if (low[at] == high[at]) return rules_->literal({&low[at], 1}, between(low, high, at + 1));
  const std::size_t left = low.size() - at - 1;
  unsigned first = byte(low[at]);
  unsigned last = byte(high[at]);
  const std::string lowest(left, '\x80');
  const std::string highest(left, '\xBF');
  std::vector<Node> ways;
  if (low.substr(at + 1) != lowest) {
    ways.push_back(
        rules_->literal({&low[at], 1}, between(low, low.substr(0, at + 1) + highest, at + 1)));
    ++first;
  }
  if (high.substr(at + 1) != highest) {
    ways.push_back(
        rules_->literal({&high[at], 1}, between(high.substr(0, at + 1) + lowest, high, at + 1)));
    --last;
  }
  if (first <= last) {
    const ByteSet middle =
        byte_range(static_cast<unsigned char>(first), static_cast<unsigned char>(last));
    ways.push_back(rules_->bytes(middle, continuations(left)));
  }
  return rules_->either(ways);
}

FLASHLM_INLINE JsonStrings::Node JsonStrings::continuations(std::size_t n) {
  Node node = GrammarRules::end();
  for (std::size_t index = 0; index < n; ++index)
    node = rules_->bytes(byte_range(0x80, 0xBF), node);
  return node;
}

}  // namespace flashlm::inline FLASHLM_ABI::text

// SPDX-License-Identifier: Apache-2.0
/// json_rules.ipp: the bodies of json_rules.hpp.
#pragma once

#include "flashlm/text/grammar/json/json_rules.hpp"

#include <algorithm>

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE JsonRules::JsonRules(GrammarRules& rules)
    : rules_(&rules), numbers_(rules), character_(make_character()), any_(make_any()) {}

FLASHLM_INLINE JsonRules::Node JsonRules::string(std::uint64_t least, std::uint64_t most,
                                                 Node next) {
  return rules_->literal("\"", rules_->loop(character_, least, most, rules_->literal("\"", next)));
}

FLASHLM_INLINE JsonRules::Node JsonRules::other_string(std::vector<std::string> taken, Node next) {
  std::sort(taken.begin(), taken.end());
  const Node free = rules_->loop(character_, 0, kNoLimit, rules_->literal("\"", next));
  return rules_->literal("\"",
                         other_tail(taken, 0, taken.size(), 0, free, rules_->literal("\"", next)));
}

FLASHLM_INLINE JsonRules::Node JsonRules::one_of(std::vector<std::string> texts, Node next) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return one_tail(texts, 0, texts.size(), 0, next, 0);
}

FLASHLM_INLINE JsonRules::Node JsonRules::array(Node item, std::uint64_t least, std::uint64_t most,
                                                Node next) {
  const Node close = rules_->literal("]", next);
  std::vector<Node> ways;
  if (least == 0) ways.push_back(close);
  if (most > 0) {
    const std::uint64_t more = most == kNoLimit ? kNoLimit : most - 1;
    ways.push_back(rules_->call(item, more_items(item, least > 0 ? least - 1 : 0, more, close)));
  }
  return rules_->literal("[", rules_->either(ways));
}

FLASHLM_INLINE JsonRules::Node JsonRules::more_items(Node item, std::uint64_t least,
                                                     std::uint64_t most, Node next) {
  return rules_->loop(rules_->literal(", ", rules_->call(item, end())), least, most, next);
}

FLASHLM_INLINE std::string JsonRules::quoted(std::string_view text) {
  std::string result = "\"";
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    const std::size_t at = std::string_view("\"\\\b\f\n\r\t").find(each);
    if (at != std::string_view::npos) {
      result += {'\\', "\"\\bfnrt"[at]};
    } else if (byte < 0x20) {
      result +=
          {'\\', 'u', '0', '0', static_cast<char>('0' + byte / 16), "0123456789abcdef"[byte % 16]};
    } else {
      result += each;
    }
  }
  return result + '"';
}

FLASHLM_INLINE JsonRules::Node JsonRules::make_character() {
  const auto continuations = [&](int n) {
    Node node = end();
    for (int index = 0; index < n; ++index) node = rules_->bytes(byte_range(0x80, 0xBF), node);
    return node;
  };
  const auto lead = [&](unsigned char first, unsigned char last, Node next) {
    return rules_->bytes(byte_range(first, last), next);
  };
  const ByteSet hex = bytes_of("0123456789abcdefABCDEF");
  const auto hexes = [&](int n, Node node) {
    for (int index = 0; index < n; ++index) node = rules_->bytes(hex, node);
    return node;
  };
  const Node low =
      rules_->bytes(bytes_of("dD"), rules_->bytes(bytes_of("cdefCDEF"), hexes(2, end())));
  const Node high = rules_->bytes(bytes_of("89abAB"), hexes(2, rules_->literal("\\u", low)));
  const Node unit = rules_->either(
      {rules_->bytes(hex & ~bytes_of("dD"), hexes(3, end())),
       rules_->bytes(bytes_of("dD"),
                     maybe(rules_->bytes(byte_range('0', '7'), hexes(2, end())), high))});
  const Node escape =
      maybe(rules_->bytes(bytes_of("\"\\/bfnrt"), end()), rules_->literal("u", unit));
  return rules_->either(
      {rules_->bytes(byte_range(0x20, 0x7F) & ~bytes_of("\"\\"), end()),
       lead(0xC2, 0xDF, continuations(1)), lead(0xE0, 0xE0, lead(0xA0, 0xBF, continuations(1))),
       lead(0xE1, 0xEC, continuations(2)), lead(0xED, 0xED, lead(0x80, 0x9F, continuations(1))),
       lead(0xEE, 0xEF, continuations(2)), lead(0xF0, 0xF0, lead(0x90, 0xBF, continuations(2))),
       lead(0xF1, 0xF3, continuations(3)), lead(0xF4, 0xF4, lead(0x80, 0x8F, continuations(2))),
       rules_->literal("\\", escape)});
}

FLASHLM_INLINE JsonRules::Node JsonRules::make_any() {
  const Node scalar = rules_->either({string(0, kNoLimit, end()), numbers_.plain(end()),
                                      boolean(end()), rules_->literal("null", end())});
  Node value = scalar;
  for (int level = 0; level < kDeepest; ++level) {
    const Node pair = string(0, kNoLimit, rules_->literal(": ", rules_->call(value, end())));
    const Node close = rules_->literal("}", end());
    const Node object = rules_->literal(
        "{", maybe(rules_->call(pair, more_items(pair, 0, kNoLimit, close)), close));
    value = rules_->either({scalar, array(value, 0, kNoLimit, end()), object});
  }
  return value;
}

FLASHLM_INLINE JsonRules::Node JsonRules::other_tail(const std::vector<std::string>& taken,
                                                     std::size_t first, std::size_t last,
                                                     std::size_t at, Node free, Node close) {
  ByteSet others = byte_range(0x20, 0x7E) & ~bytes_of("\"\\");
  std::vector<Node> ways;
  const bool is_taken = first < last && taken[first].size() == at;
  if (!is_taken) ways.push_back(close);
  while (first < last && taken[first].size() == at) ++first;
  groups(taken, first, last, at, [&](char byte, std::size_t begin, std::size_t stop) {
    const ByteSet same = bytes_of({&byte, 1}) & others;
    others &= ~same;
    // Beyond a few hundred characters the rest of the names is given up: shorter names remain.
    if (same.any() && at < 256)
      ways.push_back(rules_->bytes(same, other_tail(taken, begin, stop, at + 1, free, close)));
  });
  ways.push_back(rules_->bytes(others, free));
  return rules_->either(ways);
}

FLASHLM_INLINE JsonRules::Node JsonRules::one_tail(const std::vector<std::string>& texts,
                                                   std::size_t first, std::size_t last,
                                                   std::size_t at, Node next, int depth) {
  std::vector<Node> ways;
  if (first < last && texts[first].size() == at) {
    ways.push_back(next);
    ++first;
  }
  groups(texts, first, last, at, [&](char, std::size_t begin, std::size_t stop) {
    std::size_t same = at;  // the group agrees up to here
    const std::string& low = texts[begin];
    const std::string& high = texts[stop - 1];
    while (same < low.size() && same < high.size() && low[same] == high[same]) ++same;
    constexpr int kDeepestSharing = 256;
    if (stop - begin == 1 || depth == kDeepestSharing) {
      for (std::size_t each = begin; each < stop; ++each) {
        ways.push_back(rules_->literal(std::string_view(texts[each]).substr(at), next));
      }
    } else {
      const Node tail = one_tail(texts, begin, stop, same, next, depth + 1);
      ways.push_back(rules_->literal(std::string_view(low).substr(at, same - at), tail));
    }
  });
  return rules_->either(ways);
}

}  // namespace flashlm::inline FLASHLM_ABI::text

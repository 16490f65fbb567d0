// SPDX-License-Identifier: Apache-2.0
/// json_rules.hpp: the rules of JSON's values (RFC 8259), with one spelling of spaces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/text/grammar_rules.hpp"
#include "flashlm/text/json_numbers.hpp"

namespace flashlm::inline v0::text {

/// Builds nodes for pieces of JSON. Spaces are written as Python's json.dumps writes them: one after each ',' and ':',
/// none elsewhere. So fewer tokens are a choice, and small models have seen this form most often.
///
/// Strings hold any UTF-8 and any escape, with surrogates in pairs.
class JsonRules {
 public:
  using Node = GrammarRules::Node;

  static constexpr std::uint64_t kNoLimit = GrammarRules::kNoLimit;
  explicit JsonRules(GrammarRules& rules)
      : rules_(&rules), numbers_(rules), character_(make_character()), any_(make_any()) {}

  GrammarRules& rules() noexcept { return *rules_; }
  JsonNumbers& numbers() noexcept { return numbers_; }
  static constexpr Node end() noexcept { return GrammarRules::end(); }
  Node nothing() { return rules_->either({}); }

  /// A string of `least` to `most` characters.
  Node string(std::uint64_t least, std::uint64_t most, Node next) {
    return rules_->literal("\"", rules_->loop(character_, least, most, rules_->literal("\"", next)));
  }

  /// A string that is none of `taken`. Until it differs from all of them it is plain ASCII, so that no escape hides
  /// one.
  Node other_string(std::vector<std::string> taken, Node next) {
    std::sort(taken.begin(), taken.end());
    const Node free = rules_->loop(character_, 0, kNoLimit, rules_->literal("\"", next));
    return rules_->literal("\"", other_tail(taken, 0, taken.size(), 0, free, rules_->literal("\"", next)));
  }

  /// One of `texts`. What they begin with in common is shared.
  Node one_of(std::vector<std::string> texts, Node next) {
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    return one_tail(texts, 0, texts.size(), 0, next, 0);
  }

  /// "[", `least` to `most` of the rule `item`, "]".
  Node array(Node item, std::uint64_t least, std::uint64_t most, Node next) {
    const Node close = rules_->literal("]", next);
    std::vector<Node> ways;
    if (least == 0) ways.push_back(close);
    if (most > 0) {
      const std::uint64_t more = most == kNoLimit ? kNoLimit : most - 1;
      ways.push_back(rules_->call(item, more_items(item, least > 0 ? least - 1 : 0, more, close)));
    }
    return rules_->literal("[", rules_->either(ways));
  }

  /// `least` to `most` times ", " and the rule `item`.
  Node more_items(Node item, std::uint64_t least, std::uint64_t most, Node next) {
    return rules_->loop(rules_->literal(", ", rules_->call(item, end())), least, most, next);
  }

  /// "true" or "false".
  Node boolean(Node next) { return one_of({"true", "false"}, next); }

  /// Any value, nested at most kDeepest deep.
  Node any(Node next) { return rules_->call(any_, next); }

  /// `text` as a JSON string of itself, with the escapes that are needed and no others.
  static std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char each : text) {
      const auto byte = static_cast<unsigned char>(each);
      const std::size_t at = std::string_view("\"\\\b\f\n\r\t").find(each);
      if (at != std::string_view::npos) {
        result += {'\\', "\"\\bfnrt"[at]};
      } else if (byte < 0x20) {
        result += {'\\', 'u', '0', '0', static_cast<char>('0' + byte / 16), "0123456789abcdef"[byte % 16]};
      } else {
        result += each;
      }
    }
    return result + '"';
  }

 private:
  static constexpr int kDeepest = 16;
  Node maybe(Node node, Node next) { return rules_->either({node, next}); }

  /// A character of a string: a scalar value in UTF-8, or an escape.
  Node make_character() {
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
    const Node low = rules_->bytes(bytes_of("dD"), rules_->bytes(bytes_of("cdefCDEF"), hexes(2, end())));
    const Node high = rules_->bytes(bytes_of("89abAB"), hexes(2, rules_->literal("\\u", low)));
    const Node unit = rules_->either(
        {rules_->bytes(hex & ~bytes_of("dD"), hexes(3, end())),
         rules_->bytes(bytes_of("dD"), maybe(rules_->bytes(byte_range('0', '7'), hexes(2, end())), high))});
    const Node escape = maybe(rules_->bytes(bytes_of("\"\\/bfnrt"), end()), rules_->literal("u", unit));
    return rules_->either({rules_->bytes(byte_range(0x20, 0x7F) & ~bytes_of("\"\\"), end()),
                           lead(0xC2, 0xDF, continuations(1)), lead(0xE0, 0xE0, lead(0xA0, 0xBF, continuations(1))),
                           lead(0xE1, 0xEC, continuations(2)), lead(0xED, 0xED, lead(0x80, 0x9F, continuations(1))),
                           lead(0xEE, 0xEF, continuations(2)), lead(0xF0, 0xF0, lead(0x90, 0xBF, continuations(2))),
                           lead(0xF1, 0xF3, continuations(3)), lead(0xF4, 0xF4, lead(0x80, 0x8F, continuations(2))),
                           rules_->literal("\\", escape)});
  }

  /// Levels instead of recursion: readers of JSON have limits on its depth.
  Node make_any() {
    const Node scalar = rules_->either(
        {string(0, kNoLimit, end()), numbers_.plain(end()), boolean(end()), rules_->literal("null", end())});
    Node value = scalar;
    for (int level = 0; level < kDeepest; ++level) {
      const Node pair = string(0, kNoLimit, rules_->literal(": ", rules_->call(value, end())));
      const Node close = rules_->literal("}", end());
      const Node object = rules_->literal("{", maybe(rules_->call(pair, more_items(pair, 0, kNoLimit, close)), close));
      value = rules_->either({scalar, array(value, 0, kNoLimit, end()), object});
    }
    return value;
  }

  /// Calls visit(byte, first, last) for each group of sorted texts that has the same byte at `at`.
  template <class Visit>
  static void groups(const std::vector<std::string>& texts, std::size_t first, std::size_t last, std::size_t at,
                     Visit&& visit) {
    while (first < last) {
      std::size_t group = first + 1;
      while (group < last && texts[group][at] == texts[first][at]) ++group;
      visit(texts[first][at], first, group);
      first = group;
    }
  }

  Node other_tail(const std::vector<std::string>& taken, std::size_t first, std::size_t last, std::size_t at, Node free,
                  Node close) {
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

  Node one_tail(const std::vector<std::string>& texts, std::size_t first, std::size_t last, std::size_t at, Node next,
                int depth) {
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

  GrammarRules* rules_;
  JsonNumbers numbers_;
  Node character_;  // rules
  Node any_;
};

}  // namespace flashlm::inline v0::text

// SPDX-License-Identifier: Apache-2.0
/// grammar_shortest.ipp: the bodies of grammar_shortest.hpp.
#pragma once

#include "flashlm/text/grammar/automaton/grammar_shortest.hpp"

#include <algorithm>
#include <cstddef>

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE std::string shortest_text(const GrammarRules& rules, GrammarRules::Node node,
                                         std::vector<GrammarWaiting> waiting,
                                         const ByteSet& usable) {
  using Kind = GrammarRules::Kind;
  std::string text;
  std::uint64_t done = 0;  // rounds of the loop at `node`
  while (true) {
    const GrammarRules::Entry& entry = rules.entry(node);
    const std::uint64_t rounds = done;
    done = 0;
    if (entry.kind == Kind::bytes) {
      const ByteSet set = rules.set(entry) & usable;
      std::size_t byte = set.test('a') ? 'a' : set.test('0') ? '0' : 0;
      while (byte < 255 && !set.test(byte)) ++byte;
      text += static_cast<char>(static_cast<unsigned char>(byte));
      node = entry.next;
    } else if (entry.kind == Kind::either) {
      node = *std::min_element(rules.begin(entry), rules.end(entry), [&](auto left, auto right) {
        return rules.cost(left) < rules.cost(right);
      });
    } else if (entry.kind == Kind::call) {
      waiting.push_back({node, 0});
      node = entry.target;
    } else if (entry.kind == Kind::loop) {
      if (rounds < entry.least) waiting.push_back({node, rounds + 1});
      node = rounds < entry.least ? entry.target : entry.next;
    } else {
      if (waiting.empty()) return text;
      const GrammarWaiting caller = waiting.back();
      waiting.pop_back();
      const GrammarRules::Entry& outer = rules.entry(caller.node);
      node = outer.kind == Kind::call ? outer.next : caller.node;
      done = caller.done;  // 0 for a call
    }
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::text

// SPDX-License-Identifier: Apache-2.0
/// grammar_shortest.hpp: a shortest text from a place in a grammar to its end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A call or a loop that waits for its rule to end.
struct GrammarWaiting {
  GrammarRules::Node node = 0;
  std::uint64_t done = 0;  // rounds of the loop when it goes on
};

/// A shortest text from `node` to the end of its rule and of those that wait for it, the last of
/// `waiting` first. Of bytes in `usable`, which each set of the grammar has; a letter or a digit
/// where anything will do.
std::string shortest_text(const GrammarRules& rules, GrammarRules::Node node,
                          std::vector<GrammarWaiting> waiting, const ByteSet& usable);

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/automaton/grammar_shortest.ipp"
#endif

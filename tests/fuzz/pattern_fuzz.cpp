// SPDX-License-Identifier: Apache-2.0
/// pattern_fuzz.cpp: any text as a regular expression is a FormatError, or two languages, one
/// within the other.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/automaton/pattern_states.hpp"

using namespace flashlm;
using text::PatternReading;
using text::PatternStates;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view pattern(reinterpret_cast<const char*>(data), size);
  if (size > 256) return 0;
  try {
    const PatternStates certain = PatternStates::of_pattern(pattern, PatternReading::certain);
    const PatternStates possible = PatternStates::of_pattern(pattern, PatternReading::possible);
    if (!PatternStates::both(certain, possible.complement()).empty()) std::abort();
    if (!certain.empty() && certain.lengths().first > certain.lengths().second) std::abort();
  } catch (const FormatError&) {
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
/// json_schema_fuzz.cpp: any text as a schema is a FormatError, or a grammar whose texts are JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "flashlm/text/grammar/automaton/grammar_states.hpp"
#include "flashlm/text/grammar/grammar.hpp"

using namespace flashlm;
using text::GrammarStates;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto grammar = text::Grammar::from_json_schema(
        std::string_view(reinterpret_cast<const char*>(data), size));
    if (grammar.shortest() > 4096) return 0;
    GrammarStates states(grammar.rules());
    GrammarStates::State at = states.start();
    std::string text;
    // The input chooses a beginning, the grammar the end.
    for (std::size_t index = 0; index < size && index < 64 && !states.must_end(at); ++index) {
      auto byte = data[size - 1 - index];
      while (states.next(at, byte) == GrammarStates::kDead) ++byte;
      text += static_cast<char>(byte);
      at = states.next(at, byte);
    }
    text += states.shortest(at);
    if (!nlohmann::json::accept(text)) std::abort();
  } catch (const FormatError&) {
  }
  return 0;
}

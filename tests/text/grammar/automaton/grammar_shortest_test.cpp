// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/grammar/automaton/grammar_shortest.hpp"

#include <string>

#include "flashlm/text/grammar/automaton/grammar_states.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "support/catch.hpp"
#include "support/grammar.hpp"

using namespace flashlm::text;

TEST_CASE("the shortest text is one of the grammar, as long as its cost says") {
  for (const std::string& schema : support::example_schemas()) {
    CAPTURE(schema);
    const Grammar grammar = Grammar::from_json_schema(schema);
    const std::string text =
        shortest_text(grammar.rules(), grammar.rules().start(), {}, ~ByteSet());
    CHECK(text.size() == grammar.shortest());
    CHECK(support::matches(grammar, text));
  }
}

TEST_CASE("a long text is found without a state for each of its bytes") {
  const Grammar grammar = Grammar::from_json_schema(
      R"({"type": "array", "minItems": 2, "items": {"minLength": 30000}})");
  GrammarStates states(grammar.rules());
  const std::size_t before = states.size();
  CHECK(states.shortest(states.start()).size() == grammar.shortest());
  CHECK(states.size() == before);
}

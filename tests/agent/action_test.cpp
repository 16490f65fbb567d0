// SPDX-License-Identifier: Apache-2.0
#include "flashlm/agent/action.hpp"

#include "support/catch.hpp"

using namespace flashlm::agent;

TEST_CASE("actions are equal when they do the same") {
  const ToolCall call{.id = "call_001", .name = "add", .arguments = {{"a", 1}}};
  CHECK(Action(CallTools{{call}}) == Action(CallTools{{call}}));
  CHECK_FALSE(Action(CallTools{{call}}) == Action(CallTools{{call, call}}));
  CHECK_FALSE(Action(FinalAnswer{"x"}) == Action(Malformed{"x"}));
}

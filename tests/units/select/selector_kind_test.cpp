// SPDX-License-Identifier: Apache-2.0
#include "flashlm/units/select/selector_kind.hpp"

#include "support/catch.hpp"

using namespace flashlm::units;

TEST_CASE("every selector is found by its name, and nothing by another") {
  for (const SelectorKind kind : kSelectorKinds) CHECK(selector_kind(name(kind)) == kind);
  for (const char* other : {"", "auto", "Gate", "router"}) CHECK_FALSE(selector_kind(other));
}

// SPDX-License-Identifier: Apache-2.0
/// token_test.cpp: a token is as wide as the file formats and bindings take it to be.
#include "flashlm/base/token.hpp"

#include <limits>
#include <type_traits>

#include "support/catch.hpp"

TEST_CASE("a token is a signed number of 32 bits, so that vocabularies and -1 fit") {
  CHECK(std::is_same_v<flashlm::Token, std::int32_t>);
  CHECK(std::numeric_limits<flashlm::Token>::max() > 1000000);
}

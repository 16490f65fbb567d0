// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/vocabulary.hpp"

#include <algorithm>

#include "support/catch.hpp"

using namespace flashlm::text;

TEST_CASE("a byte is written with two upper digits") {
  CHECK(byte_of("<0x0A>") == '\n');
  CHECK(byte_of("<0xFF>") == '\xff');
  for (const char* other : {"<0xff>", "<0x0>", "<0x0G>", "0x0A", "<0x0A", "<0x00A>", ""}) {
    CAPTURE(other);
    CHECK_FALSE(byte_of(other));
  }
}

TEST_CASE("the tokens of bytes are found") {
  const auto tokens = byte_tokens({{"<0x00>", 5}, {"<0xAB>", 7}, {"a", 1}});
  CHECK(tokens[0] == 5);
  CHECK(tokens[0xab] == 7);
  CHECK(std::count(tokens.begin(), tokens.end(), -1) == 254);
}

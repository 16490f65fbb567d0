// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/tokenizer/byte_alphabet.hpp"

#include <string>

#include "support/catch.hpp"

using namespace flashlm::text;

TEST_CASE("every byte has one character, and comes back") {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  const std::string written = bytes_to_alphabet(bytes);
  CHECK(alphabet_to_bytes(written) == bytes);
  CHECK(bytes_to_alphabet(" a\n") == "\u0120a\u010a");
}

TEST_CASE("a character that is not of the alphabet is told") {
  CHECK_FALSE(alphabet_to_bytes("a b"));
  CHECK_FALSE(alphabet_to_bytes("\u4e2d"));
  CHECK(alphabet_to_bytes("") == std::string());
}

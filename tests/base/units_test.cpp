// SPDX-License-Identifier: Apache-2.0
/// units_test.cpp: sizes as people write them.
#include "flashlm/base/units.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;

TEST_CASE("a memory size is bytes, a number with a unit, or a share") {
  CHECK(parse_memory("800000000").bytes == 800000000);
  CHECK(parse_memory("512 B").bytes == 512);
  CHECK(parse_memory("4GiB").bytes == 4294967296);
  CHECK(parse_memory("512 MiB").bytes == 536870912);
  CHECK(parse_memory("1.5GB").bytes == 1500000000);
  CHECK(parse_memory("2kB").bytes == 2000);
  CHECK(parse_memory("2K").bytes == 2048);
  CHECK(parse_memory("0.5G").bytes == 536870912);
  CHECK_FALSE(parse_memory("4GiB").share.has_value());
  CHECK(parse_memory("50%").share == 0.5);
  CHECK(parse_memory("62.5 %").share == 0.625);
  CHECK(parse_memory("150%").share == 1.5);
  CHECK(parse_memory("auto").automatic);
  CHECK_FALSE(parse_memory("4GiB").automatic);
}

TEST_CASE("anything else is refused, and the message shows it") {
  const std::string text =
      GENERATE("", "x", "4 gib", "-1GiB", "0", "0%", "nan", "inf", "1e30", "0.5", "4GiB ", " 4GiB",
               "1,5GB", "4GiBs", "4%5", "Auto", "auto ", "8 gigs", "-nan", "-5%", "99999999999GiB",
               "1e300%", "1000001%");
  INFO("text '" << text << "'");
  CHECK_THROWS_AS(parse_memory(text), ArgumentError);
  CHECK_THROWS_WITH(parse_memory(text), Catch::Matchers::ContainsSubstring("got '" + text + "'"));
}

TEST_CASE("a size is written with three digits and a binary unit") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(999) == "999 B");
  CHECK(format_bytes(1023) == "1.00 KiB");
  CHECK(format_bytes(1536) == "1.50 KiB");
  CHECK(format_bytes(10 * 1024) == "10.0 KiB");
  CHECK(format_bytes(128 * 1048576) == "128 MiB");
  CHECK(format_bytes(std::uint64_t{1} << 30) == "1.00 GiB");
  CHECK(format_bytes(~std::uint64_t{0}) == "16.0 EiB");
}

TEST_CASE("what is written can be read back") {
  for (const char* text : {"1.50 KiB", "128 MiB", "1.00 GiB", "512 B"}) {
    CHECK(format_bytes(parse_memory(text).bytes) == text);
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "flashlm/text/unicode/code_points.hpp"

#include "support/catch.hpp"

using flashlm::text::CodePoints;

TEST_CASE("ranges that touch are one, and surrogates are never in") {
  const CodePoints set{{'c', 'f'}, {'a', 'b'}, {0xD000, 0xE000}};
  CHECK(set.ranges() ==
        std::vector<CodePoints::Range>{{'a', 'f'}, {0xD000, 0xD7FF}, {0xE000, 0xE000}});
  CHECK(set.contains('d'));
  CHECK_FALSE(set.contains('g'));
  CHECK_FALSE(set.contains(0xD800));
  CHECK_FALSE(CodePoints::all().contains(0xDFFF));
}

TEST_CASE("the complement of a complement is the set") {
  const CodePoints set{{'a', 'f'}, {0x10000, CodePoints::kLargest}};
  CHECK(set.complement().complement() == set);
  CHECK_FALSE(set.complement().contains('a'));
  CHECK(set.complement().contains('g'));
  CHECK(CodePoints::all().complement().empty());
  CHECK(CodePoints().complement() == CodePoints::all());
  CHECK(set.within('c', 'z') == CodePoints{{'c', 'f'}});
}

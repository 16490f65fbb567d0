// SPDX-License-Identifier: Apache-2.0
#include "flashlm/tools/pdf/page_lines.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace flashlm::tools;

namespace {

std::string lines_of(const std::vector<WordBox>& boxes, std::string text = {}) {
  std::vector<const WordBox*> words;
  for (const WordBox& box : boxes) words.push_back(&box);
  detail::append_lines(words, 10, text);
  return text;
}

}  // namespace

TEST_CASE("the median is the middle value") {
  CHECK(detail::median({3}) == 3);
  CHECK(detail::median({9, 1, 5}) == 5);
}

TEST_CASE("words that overlap in height share a line, from left to right") {
  CHECK(lines_of({{"b", 20, 0, 25, 10}, {"a", 0, 2, 5, 12}, {"c", 0, 12, 5, 22}}) == "a b\nc\n");
}

TEST_CASE("a chain of overlaps does not pull lines together") {
  CHECK(lines_of({{"a", 0, 0, 5, 10}, {"b", 10, 4, 15, 14}, {"c", 20, 8, 25, 18}}) == "a b\nc\n");
}

TEST_CASE("pieces join where nothing stands between them only") {
  CHECK(lines_of({{"ef", 0, 0, 10, 10, false},
                  {"fect", 10, 0, 30, 10, true},
                  {"x", 35, 0, 40, 10, true}}) == "effect x\n");
  CHECK(lines_of({{"left", 0, 0, 20, 10, false}, {"right", 60, 0, 90, 10, false}}) ==
        "left right\n");
}

TEST_CASE("an empty line stands before a wider gap, and before what is appended") {
  CHECK(lines_of(
            {{"a", 0, 0, 5, 10}, {"b", 0, 12, 5, 22}, {"c", 0, 24, 5, 34}, {"d", 0, 48, 5, 58}}) ==
        "a\nb\nc\n\nd\n");
  CHECK(lines_of({{"a", 0, 0, 5, 10}, {"b", 0, 20, 5, 30}, {"c", 0, 40, 5, 50}}) == "a\nb\nc\n");
  CHECK(lines_of({{"b", 0, 0, 5, 10}}, "a\n") == "a\n\nb\n");
}

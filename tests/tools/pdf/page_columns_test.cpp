// SPDX-License-Identifier: Apache-2.0
/// page_columns_test.cpp: what is a column and what is a table, band by band.
#include "flashlm/tools/pdf/page_columns.hpp"

#include <cstddef>
#include <list>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/pdf_writer.hpp"

using namespace flashlm::tools;
using flashlm::tools::detail::PageBand;
using flashlm::tools::detail::PageColumn;

namespace {

/// A band to be: lines of words, 5 wide a character, 10 high; the right column begins at 300.
struct Lines {
  std::list<WordBox> boxes{};
  PageBand band{};

  Lines& line(double x, double y, const std::string& text) {
    for (const std::string& word : support::split_words(text)) {
      const double width = 5 * static_cast<double>(word.size());
      boxes.push_back({word, x, y, x + width, y + 10, true, 0});
      (x < 300 ? band.left : band.right).words.push_back(&boxes.back());
      x += width + 5;
    }
    return *this;
  }
  bool are_columns() {
    band.decide(300, 10);
    return band.is_columns;
  }
};

const std::string kLong = "a line of prose that is forty or so wide";

}  // namespace

TEST_CASE("a column knows its rows, whatever the order of words in them") {
  Lines lines;
  lines.line(80, 100, "one two").line(72, 112, "three four five");
  std::swap(lines.band.left.words[0], lines.band.left.words[1]);
  const std::vector<PageColumn::Row> rows = lines.band.left.rows();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].n_words == 2);
  CHECK(rows[0].x_min == 80);
  CHECK(rows[0].first_width == 15);
  CHECK(rows[1].x_max == 72 + 75);
  CHECK(rows[1].width == 65);
}

TEST_CASE(
    "three lines of prose on both sides are columns, two are if they look like wrapped text") {
  Lines three;
  for (const double y : {100.0, 112.0, 124.0}) three.line(72, y, kLong).line(300, y, kLong);
  CHECK(three.are_columns());
  Lines two;
  for (const double y : {100.0, 112.0}) two.line(72, y, kLong).line(300, y, kLong);
  CHECK(two.are_columns());
  Lines unequal;  // the first line had room for the second one's word
  unequal.line(72, 100, "a line of it")
      .line(72, 112, kLong)
      .line(300, 100, kLong)
      .line(300, 112, kLong);
  CHECK_FALSE(unequal.are_columns());
  Lines ragged;  // on the left side nothing begins at one edge
  ragged.line(72, 100, kLong)
      .line(95, 112, "a line of prose")
      .line(300, 100, kLong)
      .line(300, 112, kLong);
  CHECK_FALSE(ragged.are_columns());
  Lines cells;
  for (const double y : {100.0, 112.0}) cells.line(72, y, "name").line(300, y, kLong);
  CHECK_FALSE(cells.are_columns());
  CHECK_FALSE(Lines().line(72, 100, kLong).line(300, 100, kLong).are_columns());
  CHECK_FALSE(Lines().line(72, 100, kLong).line(72, 112, kLong).are_columns());
}

TEST_CASE(
    "a row that stands alone is no part of the columns, whatever the spacing of their lines") {
  for (const double pitch : {12.0, 24.0}) {
    Lines lines;
    lines.line(72, 40, "a running title").line(400, 40, "page 3");
    for (int row = 0; row < 4; ++row)
      lines.line(72, 100 + pitch * row, kLong).line(300, 100 + pitch * row, kLong);
    CHECK(lines.are_columns());
    CHECK(lines.band.above.size() == 5);
    CHECK(lines.band.below.empty());
    CHECK(lines.band.left.rows().size() == 4);
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "flashlm/tools/pdf/reading_order.hpp"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/random.hpp"
#include "support/catch.hpp"
#include "support/growth.hpp"
#include "support/pdf_writer.hpp"

using support::fill_lines;
using support::numbered_words;
using support::split_words;
using namespace flashlm::tools;

namespace {

/// A page to be: lines of words, 5 wide a character, 10 high, 12 from line to line.
class Page {
 public:
  std::vector<WordBox> boxes{};

  Page& line(double x, double y, const std::string& text, double size = 10) {
    for (const std::string& word : split_words(text)) {
      const double width = size / 2 * static_cast<double>(word.size());
      boxes.push_back({word, x, y, x + width, y + size, true, 0});
      x += width + size / 2;
    }
    return *this;
  }
  double lines(double x, double y, const std::vector<std::string>& texts, double pitch = 12) {
    for (const std::string& text : texts) {
      line(x, y, text);
      y += pitch;
    }
    return y;
  }
  std::string text() const { return reading_order(boxes); }
  std::vector<std::string> words() const { return split_words(text()); }
};

std::vector<std::string> joined(std::initializer_list<std::vector<std::string>> parts) {
  std::vector<std::string> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

TEST_CASE("a page without words has no text") { CHECK(reading_order({}).empty()); }

TEST_CASE(
    "lines come from top to bottom and words from left to right, whatever the order of the boxes") {
  Page page;
  page.lines(72, 72, {"one two three", "four five", "six"});
  std::reverse(page.boxes.begin(), page.boxes.end());
  CHECK(page.text() == "one two three\nfour five\nsix\n");
}

TEST_CASE("a wider distance of lines is an empty line") {
  Page page;
  page.lines(72, 72, {"one", "two", "three"});
  page.lines(72, 120, {"four", "five"});
  CHECK(page.text() == "one\ntwo\nthree\n\nfour\nfive\n");
}

TEST_CASE("pieces of a word are put together") {
  Page page;
  page.boxes = {{"ef", 72, 72, 82, 82, false, 0},
                {"fect", 82, 72, 102, 82, true, 0},
                {"x", 107, 72, 112, 82, true, 0}};
  CHECK(page.text() == "effect x\n");
}

TEST_CASE("superscripts and subscripts stay in their line") {
  Page page;
  page.boxes = {{"x", 72, 72, 77, 82, false, 0},
                {"2", 77, 70, 80, 76, true, 0},
                {"+", 85, 72, 90, 82, true, 0},
                {"y", 95, 72, 100, 82, false, 0},
                {"i", 100, 78, 102, 84, true, 0}};
  CHECK(page.text() == "x2 + yi\n");
}

TEST_CASE("two columns are read one after the other") {
  const auto left = numbered_words("l", 200);
  const auto right = numbered_words("r", 190);
  for (const double shift : {0.0, 3.0, 6.0}) {  // the lines of the columns need not be level
    Page page;
    page.lines(72, 72, fill_lines(left, 42));
    page.lines(306, 72 + shift, fill_lines(right, 42));
    CHECK(page.words() == joined({left, right}));
  }
}

TEST_CASE("the gap between columns may be as narrow as in a proceedings style") {
  const auto left = numbered_words("left", 150);
  const auto right = numbered_words("right", 150);
  Page page;
  page.lines(72, 72, fill_lines(left, 45));  // up to 225 wide, ends at 297
  page.lines(72 + 225 + 11, 72, fill_lines(right, 45));
  CHECK(page.words() == joined({left, right}));
}

TEST_CASE("a short last column is a column") {
  const auto left = numbered_words("left", 100);
  const auto right = numbered_words("right", 9);
  Page page;
  page.lines(72, 72, fill_lines(left, 40));
  page.lines(320, 72, fill_lines(right, 40));
  CHECK(page.words() == joined({left, right}));
}

TEST_CASE("a title, a wide caption and a footer stand between the columns that they separate") {
  const auto a = numbered_words("a", 100);
  const auto b = numbered_words("b", 100);
  const auto c = numbered_words("c", 100);
  const auto d = numbered_words("d", 100);
  Page page;
  page.line(100, 40, "A title over both of the columns of it", 18);
  double y = page.lines(72, 80, fill_lines(a, 40));
  y = std::max(y, page.lines(320, 80, fill_lines(b, 40)));
  page.line(
      80, y + 10,
      "Figure 1: a caption that is wider than a column is and crosses the gutter of the page");
  y += 40;
  y = std::max(page.lines(72, y, fill_lines(c, 40)), page.lines(320, y, fill_lines(d, 40)));
  page.line(300, y + 20, "12");
  const auto title = split_words("A title over both of the columns of it");
  const auto caption = split_words(
      "Figure 1: a caption that is wider than a column is and crosses the gutter of the page");
  CHECK(page.words() == joined({title, a, b, caption, c, d, {"12"}}));
}

TEST_CASE("a header and a footer with both ends filled are read as rows") {
  const auto left = numbered_words("left", 150);
  const auto right = numbered_words("right", 150);
  Page page;
  page.line(72, 40, "Published at some conference").line(450, 40, "A running title");
  const double y = std::max(page.lines(72, 72, fill_lines(left, 40)),
                            page.lines(320, 72, fill_lines(right, 40)));
  page.line(72, y + 30, "Version of May 2024").line(450, y + 30, "page 3 of 9");
  CHECK(page.words() == joined({split_words("Published at some conference A running title"), left,
                                right, split_words("Version of May 2024 page 3 of 9")}));
}

TEST_CASE("three columns are read one after the other") {
  const auto a = numbered_words("a", 120);
  const auto b = numbered_words("b", 120);
  const auto c = numbered_words("c", 120);
  Page page;
  page.lines(50, 72, fill_lines(a, 30));
  page.lines(220, 72, fill_lines(b, 30));
  page.lines(390, 72, fill_lines(c, 30));
  CHECK(page.words() == joined({a, b, c}));
}

TEST_CASE(
    "columns of two lines are read one after the other, with a title and a footer around them or "
    "without") {
  const auto title = split_words("A title over both of the columns of the page here");
  for (const double pitch : {12.0, 18.0, 24.0}) {  // single, one and a half, double spacing
    for (const bool framed : {false, true}) {
      CAPTURE(pitch, framed);
      const auto left = numbered_words("l", 18);
      const auto right = numbered_words("r", 16);
      Page page;
      if (framed) page.line(100, 30, "A title over both of the columns of the page here");
      page.lines(72, 72, fill_lines(left, 40), pitch);
      page.lines(306, 72, fill_lines(right, 40), pitch);
      REQUIRE(fill_lines(left, 40).size() == 2);
      REQUIRE(fill_lines(right, 40).size() == 2);
      if (framed) page.line(280, 72 + 4 * pitch + 20, "12");
      const std::vector<std::string> number{"12"};
      CHECK(page.words() ==
            (framed ? joined({title, left, right, number}) : joined({left, right})));
    }
  }
}

TEST_CASE("the last line of a text may stand alone in the second column") {
  const auto left = numbered_words("left", 12);
  const auto right = split_words("and it ends here.");
  Page page;
  page.lines(72, 72, fill_lines(left, 40));
  page.line(306, 72, "and it ends here.");
  CHECK(page.words() == joined({left, right}));
}

TEST_CASE("pages of one to three columns are read in order, however few their lines") {
  flashlm::Random random(7);
  const std::string letters = "abcdefghijklmnopqrstuvwxyz";
  for (int round = 0; round < 3000; ++round) {
    const std::size_t n_columns = 1 + random.next() % 3;
    const std::size_t n_lines = 2 + random.next() % 5;
    const std::size_t characters = n_columns == 3 ? 30 : n_columns == 2 ? 42 : 80;
    const double pitch = 11 + static_cast<double>(random.next() % 8);
    const double gap = 11 + static_cast<double>(random.next() % 20);
    std::vector<std::string> expected;
    Page page;
    for (std::size_t column = 0; column < n_columns; ++column) {
      // Words of a text: of one to nine letters, filled into lines until there are enough.
      std::vector<std::string> words;
      const std::size_t last =
          column + 1 < n_columns || n_lines < 3 ? n_lines : n_lines - random.next() % 2;
      do {
        std::string word;
        for (std::uint64_t n = 1 + random.next() % 9; n > 0; --n)
          word += letters[random.next() % letters.size()];
        words.push_back(word);
      } while (fill_lines(words, characters).size() <= last);
      words.pop_back();
      page.lines(60 + static_cast<double>(column) * (5 * static_cast<double>(characters) + gap), 72,
                 fill_lines(words, characters), pitch);
      expected.insert(expected.end(), words.begin(), words.end());
    }
    for (std::size_t n = page.boxes.size(); n > 1; --n)
      std::swap(page.boxes[n - 1], page.boxes[random.next() % n]);
    CAPTURE(round, n_columns, n_lines, pitch, gap, page.text());
    REQUIRE(page.words() == expected);
  }
}

TEST_CASE("double-spaced columns are columns from their first line to their last") {
  const auto left = numbered_words("l", 100);
  const auto right = numbered_words("r", 90);
  Page page;
  page.lines(72, 72, fill_lines(left, 42), 24);
  page.lines(306, 72, fill_lines(right, 42), 24);
  CHECK(page.words() == joined({left, right}));
}

TEST_CASE("two rows of a table or a form stay rows") {
  const std::vector<std::vector<std::vector<std::string>>> tables = {
      {{"OPT 6.7B with a window", "24 % of the weights"}, {"Falcon 7B", "5.5 % of them, at best"}},
      {{"Accepted by the editor on 4 May 2024", "Version 2 of the text"},
       {"Received", "4 January 2024 at noon"}},
      {{"name", "what it does in a longer sentence here"},
       {"size", "how many bytes it takes on the disk"}}};
  for (const auto& table : tables) {
    Page page;
    std::vector<std::string> expected;
    for (std::size_t row = 0; row < table.size(); ++row) {
      for (std::size_t column = 0; column < 2; ++column) {
        page.line(72 + 234 * static_cast<double>(column), 72 + 12 * static_cast<double>(row),
                  table[row][column]);
        for (const std::string& word : split_words(table[row][column])) expected.push_back(word);
      }
    }
    CHECK(page.words() == expected);
  }
}

TEST_CASE("wide spaces of justified lines that happen to lie below each other are no gutter") {
  Page page;
  page.lines(
      72, 72,
      {"one two three four five six seven", "now two three more words than six", "the end of it"});
  for (std::size_t n = 0; n < 14;
       ++n) {  // of the first two lines, which are alike letter by letter
    page.boxes[n].x_min += 12 * static_cast<double>(n % 7),
        page.boxes[n].x_max += 12 * static_cast<double>(n % 7);
  }
  CHECK(page.words() ==
        split_words(
            "one two three four five six seven now two three more words than six the end of it"));
}

TEST_CASE("a table is read row by row") {
  Page page;
  std::vector<std::string> expected;
  for (int row = 0; row < 12; ++row) {
    for (int column = 0; column < 4; ++column) {
      expected.push_back("cell" + std::to_string(row) + "." + std::to_string(column));
      page.line(72 + 120 * column, 72 + 12 * row, expected.back());
    }
  }
  CHECK(page.words() == expected);
}

TEST_CASE("numbers beside equations and lists stay in their rows") {
  Page page;
  std::vector<std::string> lines;
  for (int row = 0; row < 20; ++row) {
    const std::string text = "a term plus another one equals this";
    const std::string number = "(" + std::to_string(row) + ")";
    page.line(60, 72 + 12 * row, std::to_string(row) + ".")
        .line(90, 72 + 12 * row, text)
        .line(500, 72 + 12 * row, number);
    lines.push_back(std::to_string(row) + ". " + text + " " + number);
  }
  std::string expected;
  for (const std::string& line : lines) expected += line + "\n";
  CHECK(page.text() == expected);
}

TEST_CASE("what is turned comes last, in its own direction") {
  Page page;
  page.lines(72, 72, fill_lines(numbered_words("w", 60), 60));
  const auto main = numbered_words("w", 60);
  page.boxes.push_back(
      {"arXiv:1", 20, 300, 30, 340, true, 3});  // upwards: the first word is the lowest
  page.boxes.push_back({"stamp", 20, 260, 30, 295, true, 3});
  page.boxes.push_back({"down", 560, 100, 570, 120, true, 1});
  page.boxes.push_back({"wards", 560, 125, 570, 150, true, 1});
  CHECK(page.words() == joined({main, {"down", "wards"}, {"arXiv:1", "stamp"}}));
}

TEST_CASE("a page that lies on its side is read like any other") {
  Page page;
  page.lines(72, 72, {"one two three", "four five six", "seven"});
  const std::string upright = page.text();
  for (WordBox& box :
       page.boxes) {  // a quarter turn clockwise: right becomes down, down becomes left
    box = {box.text, 800 - box.y_max, box.x_min, 800 - box.y_min, box.x_max, true, 1};
  }
  CHECK(page.text() == upright);
}

TEST_CASE("every word is there once, whatever the boxes say") {
  flashlm::Random random(1);
  for (int round = 0; round < 200; ++round) {
    Page page;
    const std::size_t n = random.next() % 200;
    const auto place = [&] { return static_cast<double>(random.next() % 600); };
    for (std::size_t index = 0; index < n; ++index) {
      const double x = place();
      const double y = place();
      page.boxes.push_back({"w" + std::to_string(index), x, y, x + place() / 10, y + place() / 40,
                            random.next() % 2 == 0, static_cast<int>(random.next() % 5)});
      if (random.next() % 50 == 0)
        page.boxes.back().x_min = std::numeric_limits<double>::quiet_NaN();
      if (random.next() % 50 == 0)
        page.boxes.back().y_max = std::numeric_limits<double>::infinity();
      if (random.next() % 50 == 0) page.boxes.back().y_max = page.boxes.back().y_min;
      page.boxes.back().text += ' ';  // words may touch
    }
    auto words = page.words();
    std::sort(words.begin(), words.end());
    std::vector<std::string> expected = numbered_words("w", n);
    std::sort(expected.begin(), expected.end());
    CHECK(words == expected);
  }
}

TEST_CASE("a page of very many words costs no more than the words of many pages") {
  flashlm::Random random(2);
  std::vector<WordBox> boxes(300'000, {"w", 0, 0, 0, 0, true, 0});
  for (WordBox& box : boxes) {
    box.x_min = static_cast<double>(random.next() % 6000) / 10;
    box.y_min = static_cast<double>(random.next() % 8000) / 10;
    box.x_max = box.x_min + 1;
    box.y_max = box.y_min + 1;
  }
  const auto read = [&](std::size_t n) {
    const std::string text = reading_order(std::span(boxes).first(n));
    CHECK(static_cast<std::size_t>(std::count(text.begin(), text.end(), 'w')) == n);
  };
  for (const std::size_t most : {std::size_t{50'000}, boxes.size()}) {
    CHECK(support::growth(64, 20, [&] { read(most / 64); }, [&] { read(most); }) < 20);
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "flashlm/tools/pdf/pdf.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/tools/pdf/child_process.hpp"
#include "support/catch.hpp"
#include "support/pdf_writer.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::tools;
using Catch::Matchers::ContainsSubstring;
using support::fill_lines;
using support::numbered_words;
using support::PdfWriter;
using support::split_words;

namespace {

/// A file that is gone after the test.
class PdfFile {
 public:
  explicit PdfFile(const std::string& bytes) { support::put(path(), bytes); }
  std::filesystem::path path() const { return folder_ / "paper.pdf"; }
  Pdf read(const PdfOptions& options = {}) const { return read_pdf(path(), options); }

 private:
  support::TempFolder folder_{};
};

std::string error_of(const PdfFile& file, const PdfOptions& options = {}) {
  try {
    file.read(options);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

double put_lines(PdfWriter& pdf, double x, double y, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    pdf.text(x, y, line);
    y += 12;
  }
  return y;
}

/// A paper of `n_pages` in two columns, and its words in order.
struct Paper {
  std::string bytes{};
  std::vector<std::string> words{};
};

Paper paper(std::size_t n_pages, const std::string& name = "") {
  PdfWriter pdf;
  pdf.title = "On words";
  pdf.author = "A. Writer";
  Paper result;
  const auto add = [&](const std::vector<std::string>& words) {
    result.words.insert(result.words.end(), words.begin(), words.end());
  };
  for (std::size_t page = 1; page <= n_pages; ++page) {
    const std::string number = std::to_string(page);
    pdf.page();
    pdf.text(120, 50, "A title over both columns of page " + number, 14);
    add(split_words("A title over both columns of page " + number));
    for (const double x : {60.0, 320.0}) {
      const auto words =
          numbered_words(name + (x < 100 ? "l" : "r") + number + ".", 100 + 7 * page);
      put_lines(pdf, x, 90, fill_lines(words, 38));
      add(words);
    }
    pdf.text(300, 770, number);
    add({number});
  }
  result.bytes = pdf.bytes();
  return result;
}

std::string many_pages(int n) {
  PdfWriter pdf;
  for (int number = 1; number <= n; ++number)
    pdf.page().text(72, 72, "page " + std::to_string(number));
  return pdf.bytes();
}

}  // namespace

TEST_CASE("every page and every word of twenty papers, in order") {
  for (std::size_t index = 1; index <= 20; ++index) {
    const Paper source = paper(1 + index % 7, std::to_string(index));
    const Pdf pdf = PdfFile(source.bytes).read();
    CHECK(pdf.info.n_pages == 1 + index % 7);
    CHECK(pdf.pages.size() == pdf.info.n_pages);
    CHECK(split_words(pdf.text()) == source.words);
  }
}

TEST_CASE("reading in the same process gives the same") {
  const PdfFile file(paper(3).bytes);
  CHECK(file.read({.isolate = false}).text() == file.read().text());
}

TEST_CASE("the info names title, author and pages") {
  const PdfFile file(paper(4).bytes);
  const PdfInfo info = read_pdf_info(file.path());
  CHECK(info.title == "On words");
  CHECK(info.author == "A. Writer");
  CHECK(info.n_pages == 4);
  CHECK(info.complete);
  CHECK_FALSE(info.encrypted);
  CHECK(read_pdf_info(file.path(), {.max_pages = 1, .isolate = false}).n_pages == 4);
  PdfWriter plain;
  CHECK(read_pdf_info(PdfFile(plain.page().bytes()).path()).title.empty());
}

TEST_CASE("a range of pages counts from 1, and its end may lie beyond the last") {
  const PdfFile file(many_pages(5));
  const auto numbers = [&](const PdfOptions& options) {
    std::vector<std::size_t> result;
    for (const PdfPage& page : file.read(options).pages) {
      result.push_back(page.number);
      CHECK(page.text == "page " + std::to_string(page.number) + "\n");
    }
    return result;
  };
  CHECK(numbers({}) == std::vector<std::size_t>{1, 2, 3, 4, 5});
  CHECK(numbers({.first_page = 2, .last_page = 3}) == std::vector<std::size_t>{2, 3});
  CHECK(numbers({.first_page = 4, .last_page = 100}) == std::vector<std::size_t>{4, 5});
  CHECK(numbers({.first_page = 5, .last_page = 5}) == std::vector<std::size_t>{5});
  CHECK_THROWS_AS(file.read({.first_page = 6}), ArgumentError);
  CHECK_THROWS_AS(file.read({.first_page = 0}), ArgumentError);
  CHECK_THROWS_AS(file.read({.first_page = 3, .last_page = 2}), ArgumentError);
  CHECK_THAT(error_of(file, {.first_page = 6}),
             ContainsSubstring("[pdf] first_page: expected at most 5, got 6"));
}

TEST_CASE("ligatures are spelled out and cut words joined") {
  PdfWriter pdf;
  pdf.page();
  put_lines(pdf, 72, 72,
            {"an e\x04"
             "cient \x02lter for the o\x05ine",
             "work\x03ow, its di\x01usion and exam-", "ples of GPT-",
             "4 in the la\x07 part of a low-rank and", "another low-", "rank"});
  CHECK(PdfFile(pdf.bytes()).read().text() ==
        "an efficient filter for the offline\nworkflow, its diffusion and examples\nof GPT-4\nin "
        "the last part of a "
        "low-rank and\nanother low-rank\n");
}

TEST_CASE("headers, footers and a stamp in the margin are kept") {
  PdfWriter pdf;
  pdf.page().text(72, 40, "Some conference").text(400, 40, "A running title");
  const auto left = numbered_words("left", 120);
  const auto right = numbered_words("right", 120);
  put_lines(pdf, 72, 80, fill_lines(left, 36));
  put_lines(pdf, 330, 80, fill_lines(right, 36));
  pdf.text(300, 750, "7").text(30, 500, "stamp v1 2024", 12, 3);
  std::vector<std::string> expected = split_words("Some conference A running title");
  expected.insert(expected.end(), left.begin(), left.end());
  expected.insert(expected.end(), right.begin(), right.end());
  for (const char* word : {"7", "stamp", "v1", "2024"}) expected.emplace_back(word);
  CHECK(split_words(PdfFile(pdf.bytes()).read().text()) == expected);
}

TEST_CASE("a scanned document says that it has no text") {
  PdfWriter pdf;
  const PdfFile file(pdf.page().picture().page().picture().bytes());
  CHECK_THROWS_AS(file.read(), FormatError);
  CHECK_THAT(error_of(file), ContainsSubstring("expected text, got none on 2 of 2 pages") &&
                                 ContainsSubstring("OCR"));
  const Pdf empty = file.read({.require_text = false});
  CHECK(empty.pages.size() == 2);
  CHECK_FALSE(empty.has_text());
}

TEST_CASE("an encrypted document asks for its password") {
  PdfWriter pdf;
  pdf.locked = true;
  const PdfFile file(pdf.page().text(72, 72, "secret").bytes());
  CHECK_THROWS_AS(file.read(), FormatError);
  CHECK_THAT(error_of(file), ContainsSubstring("encrypted: expected a password, got none"));
  CHECK_THAT(error_of(file, {.password = "guess"}), ContainsSubstring("got a wrong one"));
}

TEST_CASE("what is no PDF says what it is") {
  CHECK_THAT(error_of(PdfFile("")), ContainsSubstring("expected a PDF, got an empty file"));
  CHECK_THAT(error_of(PdfFile("\n<!doctype html><title>503</title>")),
             ContainsSubstring("expected a PDF, got a web page"));
  CHECK_THAT(error_of(PdfFile("plain words")),
             ContainsSubstring("expected a PDF, got something else"));
  CHECK_THAT(error_of(PdfFile("%PDF-1.7\n")), ContainsSubstring("damaged"));
  CHECK_THROWS_AS(read_pdf("no/such/file.pdf"), IoError);
  CHECK_THROWS_AS(read_pdf("."), IoError);
}

TEST_CASE("a document without pages is a FormatError") {
  CHECK_THAT(error_of(PdfFile(PdfWriter().bytes())),
             ContainsSubstring("[pdf] expected pages, got none"));
}

TEST_CASE("limits say which one it is") {
  const PdfFile file(many_pages(5));
  const auto size = std::filesystem::file_size(file.path());
  CHECK(error_of(file, {.max_file_bytes = size}) == "no error");
  CHECK_THAT(error_of(file, {.max_file_bytes = size - 1}), ContainsSubstring("max_file_bytes"));
  CHECK(error_of(file, {.max_pages = 5}) == "no error");
  CHECK_THAT(error_of(file, {.max_pages = 4}),
             ContainsSubstring("pages: expected at most 4, got 5"));
  CHECK(error_of(file, {.first_page = 2, .max_pages = 4}) == "no error");
  CHECK(error_of(file, {.max_text_bytes = 35}) == "no error");
  CHECK_THAT(error_of(file, {.max_text_bytes = 34}), ContainsSubstring("max_text_bytes"));
  CHECK_THAT(error_of(file, {.max_seconds = 1e-9}), ContainsSubstring("max_seconds"));
  CHECK_THAT(error_of(file, {.max_seconds = 1e-9, .isolate = false}),
             ContainsSubstring("max_seconds"));
  CHECK_THROWS_AS(file.read({.max_seconds = 0}), ArgumentError);
  CHECK_THROWS_AS(file.read({.max_memory_bytes = 0}), ArgumentError);
}

TEST_CASE("a page that takes forever ends at the deadline") {
  PdfWriter pdf;
  std::string forms = "q ";
  for (int index = 0; index < 2'000'000; ++index)
    forms += "BT /C 1 Tf 1 0 0 1 9 9 Tm (aaaaaaaaaa) Tj ET ";
  const PdfFile file(pdf.page().raw(forms).bytes());
  const auto start = std::chrono::steady_clock::now();
  CHECK_THAT(error_of(file, {.max_seconds = 0.5}),
             ContainsSubstring("time: expected at most 0.5 s"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::minutes(5));
}

TEST_CASE("a page that takes too much memory is refused it") {
  if (!child_memory_is_limited()) return;
  PdfWriter pdf;
  std::string words;
  for (int index = 0; index < 1'000'000; ++index)
    words += "BT /C 9 Tf 1 0 0 1 " + std::to_string(index % 600) + " " +
             std::to_string(index % 791) + " Tm (word) Tj ET ";
  const PdfFile file(pdf.page().raw(words).bytes());
  CHECK_THAT(error_of(file, {.max_seconds = 600, .max_memory_bytes = std::uint64_t{96} << 20}),
             ContainsSubstring("max_memory_bytes"));
}

TEST_CASE("progress counts pages, and what it throws ends the reading") {
  const PdfFile file(many_pages(5));
  for (const bool isolate : {true, false}) {
    std::size_t last = 0;
    file.read({.isolate = isolate, .progress = [&](std::size_t done, std::size_t total) {
                 CHECK(done >= last);
                 CHECK(total == 5);
                 last = done;
               }});
    CHECK(last == 5);
    CHECK_THROWS_WITH(
        file.read(
            {.isolate = isolate,
             .progress = [](std::size_t, std::size_t) { throw std::runtime_error("enough"); }}),
        "enough");
    CHECK(file.read({.isolate = isolate}).pages.size() == 5);
  }
}

TEST_CASE("a file whose end is missing says so") {
  const Paper source = paper(4);
  const Pdf pdf = PdfFile(source.bytes.substr(0, source.bytes.size() - 7)).read();
  CHECK_FALSE(pdf.info.complete);
  CHECK(split_words(pdf.text()) == source.words);
  CHECK_THAT(error_of(PdfFile(source.bytes.substr(0, source.bytes.size() / 2))),
             ContainsSubstring("damaged") && ContainsSubstring("Was the download cut short?"));
}

TEST_CASE("a document that is damaged anywhere is read or is an error of ours") {
  const std::string bytes = paper(1).bytes;
  for (const std::size_t step : {97u, 389u}) {
    for (std::size_t at = step; at < bytes.size(); at += step) {
      std::string damaged = bytes;
      if (step == 389) {
        damaged.resize(at);
      } else {
        damaged[at] = static_cast<char>(damaged[at] ^ 0x15);
      }
      try {
        PdfFile(damaged).read({.max_seconds = 20});
      } catch (const Error& error) {
        CHECK_THAT(error.what(), ContainsSubstring("[pdf] ") && !ContainsSubstring("signal"));
      }
    }
  }
}

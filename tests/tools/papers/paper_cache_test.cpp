// SPDX-License-Identifier: Apache-2.0
/// paper_cache_test.cpp: what is kept is found again, and nothing leaves the folder.
#include "flashlm/tools/papers/paper_cache.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::tools;
namespace fs = std::filesystem;

namespace {
PaperId id(const char* text) { return PaperId::parse(text); }
}  // namespace

TEST_CASE("A PDF is found by its version, and without one the newest") {
  const support::TempFolder folder;
  const PaperCache cache(folder / "a" / "b");
  CHECK_FALSE(cache.find_pdf(id("2312.11514")));
  cache.put_pdf(id("2312.11514"), "unknown");
  CHECK(cache.find_pdf(id("2312.11514")) == folder / "a/b/pdf/2312.11514.pdf");
  cache.put_pdf(id("2312.11514v2"), "2");
  cache.put_pdf(id("2312.11514v10"), "10");
  cache.put_pdf(id("2312.11515"), "another paper");
  CHECK(cache.find_pdf(id("2312.11514")) == folder / "a/b/pdf/2312.11514v10.pdf");
  CHECK(cache.find_pdf(id("2312.11514v2")) == folder / "a/b/pdf/2312.11514v2.pdf");
  CHECK_FALSE(cache.find_pdf(id("2312.11514v3")));
  for (const char* foreign : {"2312.11514v99.pdf.part-1-2", "2312.11514v0.pdf", "2312.11514vx.pdf",
                              "2312.11514v9999999999.pdf"}) {
    support::put(folder / "a/b/pdf" / foreign, std::string("x"));
  }
  CHECK(cache.find_pdf(id("2312.11514")) == folder / "a/b/pdf/2312.11514v10.pdf");
  CHECK(cache.put_pdf(id("hep-th/9901001v1"), "old") == folder / "a/b/pdf/hep-th_9901001v1.pdf");
}

TEST_CASE("A text is found by its paper") {
  const support::TempFolder folder;
  const PaperCache cache(folder.path());
  CHECK_FALSE(cache.find_text(id("2312.11514")));
  cache.put_text(id("2312.11514"), "# Text");
  CHECK(cache.find_text(id("2312.11514v3")) == "# Text");
}

TEST_CASE("An answer is found by its question, until it is too old") {
  const support::TempFolder folder;
  const PaperCache cache(folder.path());
  CHECK_FALSE(cache.find_answer("https://a/?b", 1e9));
  cache.put_answer("https://a/?b", "one\ntwo");
  CHECK(cache.find_answer("https://a/?b", 3600) == "one\ntwo");
  CHECK_FALSE(cache.find_answer("https://a/", 3600));
  for (const auto& entry : fs::directory_iterator(folder / "answers")) {
    fs::last_write_time(entry.path(), fs::file_time_type::clock::now() - std::chrono::hours(10));
  }
  CHECK_FALSE(cache.find_answer("https://a/?b", 3600));
  CHECK(cache.find_answer("https://a/?b", std::numeric_limits<double>::infinity()) == "one\ntwo");
}

TEST_CASE("Another question with the same checksum is no answer, nor is a damaged file") {
  const support::TempFolder folder;
  const PaperCache cache(folder.path());
  cache.put_answer("https://a/", "one");
  for (const auto& entry : fs::directory_iterator(folder / "answers")) {
    for (const char* text : {"https://b/\none", "", "https://a/", "https://a/x\n"}) {
      support::put(entry.path(), std::string(text));
      CHECK_FALSE(cache.find_answer("https://a/", 3600));
    }
  }
}

TEST_CASE("A cache folder that cannot be made is an IoError") {
  const support::TempFolder folder;
  support::put(folder / "file", std::string("x"));
  CHECK_THROWS_AS(PaperCache(folder / "file" / "cache").put_text(id("2312.11514"), "x"), IoError);
  CHECK_THROWS_AS(PaperCache(folder / "file").put_text(id("2312.11514"), "x"), IoError);
}

TEST_CASE("Whatever the id says, its places lie inside the folder") {
  const PaperCache cache("/cache/papers");
  Random random(5);
  const std::string parts[] = {"2312", ".", "..", "/",  "11514", "hep-th", "9901001",
                               "v",    "1", "~",  "\\", "a.GT",  "%2e",    " "};
  int accepted = 0;
  for (int round = 0; round < 300'000; ++round) {
    std::string text;
    for (std::uint64_t n = random.next() % 6; n > 0; --n)
      text += parts[random.next() % std::size(parts)];
    try {
      const PaperId paper = PaperId::parse(text);
      ++accepted;
      CAPTURE(text);
      REQUIRE(cache.pdf_path(paper).lexically_normal().parent_path() == "/cache/papers/pdf");
      REQUIRE(cache.text_path(paper).lexically_normal().parent_path() == "/cache/papers/text");
    } catch (const ArgumentError&) {
      continue;
    }
  }
  CHECK(accepted > 20);
}

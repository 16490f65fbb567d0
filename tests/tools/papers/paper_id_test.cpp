// SPDX-License-Identifier: Apache-2.0
/// paper_id_test.cpp: only ids of arXiv become ids.
#include "flashlm/tools/papers/paper_id.hpp"

#include <cstdint>
#include <iterator>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "support/catch.hpp"

using flashlm::ArgumentError;
using flashlm::tools::PaperId;

TEST_CASE("An id has a base and perhaps a version") {
  CHECK(PaperId::parse("2312.11514").text() == "2312.11514");
  CHECK(PaperId::parse("2312.11514").version() == 0);
  CHECK(PaperId::parse("2312.11514v12").base() == "2312.11514");
  CHECK(PaperId::parse("2312.11514v12").version() == 12);
  CHECK(PaperId::parse("0704.0001v1").text() == "0704.0001v1");
  CHECK(PaperId::parse("hep-th/9901001").stem() == "hep-th_9901001");
  CHECK(PaperId::parse("math.GT/0309136v3").text() == "math.GT/0309136v3");
  CHECK(PaperId::parse("2312.11514").with_version(2) == PaperId::parse("2312.11514v2"));
}

TEST_CASE("An id may come as people write it") {
  for (const char* text :
       {"arXiv:2312.11514", "arxiv:2312.11514", " 2312.11514\n", "https://arxiv.org/abs/2312.11514",
        "http://www.arxiv.org/pdf/2312.11514.pdf", "https://export.arxiv.org/pdf/2312.11514",
        "https://huggingface.co/papers/2312.11514", "https://huggingface.co/papers/2312.11514.md",
        "arxiv.org/html/2312.11514"}) {
    CAPTURE(text);
    CHECK(PaperId::parse(text) == PaperId::parse("2312.11514"));
  }
}

TEST_CASE("Months and numbers that arXiv cannot have given are no ids") {
  for (const char* text :
       {"2313.11514",     "2300.11514",     "0703.0001",        "0613.0001",
        "0712.00001",     "1412.00001",     "1501.0001",        "2312.1151",
        "0704.0000",      "2312.00000",     "arXiv:2313.11514", "https://arxiv.org/abs/2313.11514",
        "hep-th/9913001", "hep-th/9900001", "hep-th/9901000",   "hep-th/0704001",
        "hep-th/1001001", "hep-th/9106001", "cs.CL/2312115",    "foo/9901001",
        "stat/0309136",   "maths/0309136",  "9912.00001x"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(PaperId::parse(text), ArgumentError);
  }
  CHECK_THROWS_WITH(PaperId::parse("2313.11514"),
                    Catch::Matchers::ContainsSubstring("fourth digit are a month"));
  CHECK_THROWS_WITH(PaperId::parse("1501.0001"), Catch::Matchers::ContainsSubstring("five digits"));
  for (const char* text :
       {"0704.0001", "1412.9999", "1501.00001", "1412.0001v3", "2612.99999", "hep-lat/9107001",
        "hep-th/9108001", "math/0703999", "hep-th/0001001", "cond-mat/9212030v2"}) {
    CAPTURE(text);
    CHECK(PaperId::parse(text).text() == text);
  }
}

TEST_CASE("Everything else is refused") {
  for (const char* text : {"",
                           " ",
                           "..",
                           "../../x",
                           "../2312.11514",
                           "2312.11514/..",
                           "2312.11514/../x",
                           "/etc/passwd",
                           "2312.115",
                           "2312.115145",
                           "23.11514",
                           "2312.11514v0",
                           "2312.11514v01",
                           "2312.11514v1000",
                           "2312.11514v",
                           "2312.11514v-1",
                           "2312.11514 v1",
                           "2312.11514?x=y",
                           "2312.11514#x",
                           "2312.11514%2f",
                           "2312.11514\\x",
                           "hep-th/990100",
                           "hep-th/99010011",
                           "hep-th",
                           "-/9901001",
                           "a/9901001",
                           "hep-th//9901001",
                           "Hep-th/9901001",
                           "math.gt/0309136",
                           "..../0309136",
                           "https://evil.org/abs/2312.11514",
                           "https://arxiv.org/abs/../../x",
                           "2312.11514\n2312.11515",
                           "v1",
                           "2312v11514"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(PaperId::parse(text), ArgumentError);
  }
  CHECK_THROWS_AS(PaperId::parse(std::string("2312.11514\0x", 12)), ArgumentError);
  CHECK_THROWS_AS(PaperId::parse(std::string(100'000, '1')), ArgumentError);
}

TEST_CASE(
    "Whatever the text, an id that is accepted is a plain file name and reads back as itself") {
  flashlm::Random random(11);
  const std::string parts[] = {"2312", "11514", ".",      "..",      "/",        "\\",
                               "v",    "1",     "hep-th", "9901001", "GT",       "-",
                               "~",    "%",     "\n",     "arXiv:",  "https://", "arxiv.org/abs/",
                               ".pdf", " ",     "0"};
  int accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string text;
    for (std::uint64_t n = random.next() % 7; n > 0; --n)
      text += parts[random.next() % std::size(parts)];
    try {
      const PaperId id = PaperId::parse(text);
      ++accepted;
      CAPTURE(text, id.text());
      REQUIRE(PaperId::parse(id.text()) == id);
      REQUIRE_FALSE(id.stem().empty());
      REQUIRE(id.stem().front() != '.');
      REQUIRE(id.stem().find("..") == std::string::npos);
      REQUIRE(id.stem().find_first_not_of(
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
              std::string::npos);
    } catch (const ArgumentError&) {
      continue;
    }
  }
  CHECK(accepted > 5);
}

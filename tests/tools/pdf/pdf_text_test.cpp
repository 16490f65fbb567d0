// SPDX-License-Identifier: Apache-2.0
#include "flashlm/tools/pdf/pdf_text.hpp"

#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/growth.hpp"

using namespace flashlm::tools;

namespace {

/// `text` repaired by its own words.
std::string repaired(const std::string& text) {
  HyphenGuide guide;
  guide.add(text);
  return join_hyphens(text, guide);
}

}  // namespace

TEST_CASE("UTF-16 becomes UTF-8, lone surrogates become U+FFFD") {
  const std::vector<unsigned short> units = {'a',    0xe9, 0x20ac, 0xd83d, 0xde00,
                                             0xd800, 'b',  0xdc00, 0xd83d};
  CHECK(utf16_to_utf8(units) == "a\u00e9\u20ac\U0001F600\ufffdb\ufffd\ufffd");
  CHECK(utf16_to_utf8({}).empty());
}

TEST_CASE("ligatures are spelled out") {
  CHECK(
      clean_text("e\ufb00ect, \ufb01rst, \ufb02ow, e\ufb03cient, wa\ufb04e, la\ufb06, la\ufb05") ==
      "effect, first, flow, efficient, waffle, last, last");
}

TEST_CASE("every space is a space, and what prints nothing is gone") {
  CHECK(clean_text("a\u00a0b\u2009c\td\re") == "a b c d e");
  CHECK(clean_text(std::string("a\0b\x01\x7f\u200b\ufeff\u0085z", 14)) == "ab z");
  CHECK(clean_text("line\nnext") == "line\nnext");
}

TEST_CASE("soft hyphens stay where a line ends only") {
  CHECK(clean_text("ex\u00adam\u00adple") == "example");
  CHECK(clean_text("exam\u00ad") == "exam\u00ad");
  CHECK(clean_text("exam\u00ad\nple") == "exam\u00ad\nple");
}

TEST_CASE("characters that only a font understands are marked") {
  CHECK(clean_text("a\ue001b\U000F0001") ==
        "a\ufffd"
        "b\ufffd");
  CHECK(clean_text("a\xff"
                   "b") ==
        "a\ufffd"
        "b");
}

TEST_CASE("a word that a line's end cuts is joined") {
  CHECK(repaired("an exam-\nple of it\n") == "an example\nof it\n");
  CHECK(repaired("an exam\u2010\nple\n") == "an example\n");
  CHECK(repaired("an exam\u00ad\nple\n") == "an example\n");
  CHECK(repaired("exam-\nple") == "example\n");
  CHECK(repaired("a col-\n\numn ends\nhere\n") == "a column\nends\nhere\n");
  CHECK(repaired("in-\nter-\nest, then\n") == "interest,\nthen\n");
}

TEST_CASE("a real hyphen stays") {
  CHECK(repaired("the GPT-\n4 model\n") == "the GPT-4\nmodel\n");
  CHECK(repaired("a 3-\nlayer net\n") == "a 3-layer\nnet\n");
  CHECK(repaired("non-\nEuclidean\n") == "non-Euclidean\n");
  CHECK(repaired("state-of-the-\nart results\n") == "state-of-the-art\nresults\n");
  CHECK(repaired("state-of-\nthe-art results\n") == "state-of-the-art\nresults\n");
  CHECK(repaired("self-\nattention\n") == "self-attention\n");
}

TEST_CASE("the document decides when it has the word elsewhere") {
  CHECK(repaired("a low-\nrank matrix. Low-rank is good\n") ==
        "a low-rank\nmatrix. Low-rank is good\n");
  CHECK(repaired("a low-\nrank matrix. Lowrank is good\n") ==
        "a lowrank\nmatrix. Lowrank is good\n");
  CHECK(repaired("a fine-\ntuning run\nthe fine tuning\n") ==
        "a fine-tuning\nrun\nthe fine tuning\n");
  CHECK(repaired("some-\nthing. something, some thing\n") == "something.\nsomething, some thing\n");
  CHECK(repaired("the end-to-\nend way. to-end\n") == "the end-to-end\nway. to-end\n");
  CHECK(repaired("a multi-repre-\nsentation, representation\n") ==
        "a multi-representation,\nrepresentation\n");
}

TEST_CASE("dashes and ends are left alone") {
  for (const std::string text :
       {"he said -\nand went\n", "a --\nb\n", "list:\n- one\n- two\n", "end-\n",
        "end-\n\n\nnot near\n", "a-\n(b)\n", "-\nx\n", "\n\n", "plain\n"}) {
    CHECK(repaired(text) == text);
  }
  CHECK(repaired("").empty());
}

TEST_CASE("capitals of other scripts keep their hyphen") {
  CHECK(repaired("Haupt-\n\u00dcbung\n") == "Haupt-\u00dcbung\n");
  CHECK(repaired("\u0433\u043b\u0430-\n\u0432\u0430\n") == "\u0433\u043b\u0430\u0432\u0430\n");
}

TEST_CASE("a hostile text costs no more than its length") {
  const auto hostile = [](std::size_t n) {
    std::string cuts;
    for (std::size_t index = 0; index < n / 3; ++index) cuts += "a-\n";
    return std::vector<std::string>{cuts, std::string(n, '-'), std::string(n, 'a') + "-\nb",
                                    "a-\n" + std::string(n, 'b'), std::string(n, '\n')};
  };
  const std::vector<std::string> small = hostile(15'625);
  const std::vector<std::string> large = hostile(1'000'000);
  for (std::size_t kind = 0; kind < large.size(); ++kind) {
    CAPTURE(kind);
    const auto repair = [](const std::string& text) {
      CHECK(repaired(text).size() + 700'000 > text.size());
    };
    CHECK(support::growth(64, 10, [&] { repair(small[kind]); }, [&] { repair(large[kind]); }) < 10);
  }
}

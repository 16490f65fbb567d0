// SPDX-License-Identifier: Apache-2.0
/// paper_test.cpp: papers in the hub's JSON, and in JSON of another shape.
#include "flashlm/tools/papers/paper.hpp"

#include <cstddef>
#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::tools;

namespace {

constexpr const char* kItem = R"({
  "paper": {"id": "2312.11514", "title": "LLM in a\n flash:  x", "summary": "Large\tmodels.", "upvotes": 260,
            "authors": [{"_id": "1", "name": "Keivan Alizadeh", "hidden": false}, {"name": "Iman  Mirzadeh"}, {"_id": "2"}],
            "publishedAt": "2023-12-12T18:57:08.000Z", "submittedOnDailyAt": "2023-12-20T00:00:00.000Z",
            "ai_summary": null, "ai_keywords": ["flash memory", 3, "windowing"], "withdrawnAt": null},
  "publishedAt": "2023-12-19T00:00:00.000Z", "title": "outer", "numComments": 9, "isAuthorParticipating": false})";

}  // namespace

TEST_CASE("A paper is read from a list and from a record of its own") {
  const std::vector<Paper> papers = parse_papers("[" + std::string(kItem) + "]", "a test");
  REQUIRE(papers.size() == 1);
  const Paper& paper = papers[0];
  CHECK(paper.id == "2312.11514");
  CHECK(paper.title == "LLM in a flash: x");
  CHECK(paper.summary == "Large models.");
  CHECK(paper.ai_summary.empty());
  CHECK(paper.authors == std::vector<std::string>{"Keivan Alizadeh", "Iman Mirzadeh"});
  CHECK(paper.keywords == std::vector<std::string>{"flash memory", "windowing"});
  CHECK(paper.upvotes == 260);
  CHECK(paper.comments == 9);
  CHECK(paper.published == "2023-12-12T18:57:08.000Z");
  CHECK(paper.daily == "2023-12-20");
  CHECK(paper.url() == "https://arxiv.org/abs/2312.11514");
  CHECK(paper.hub_url() == "https://huggingface.co/papers/2312.11514");
  CHECK(paper.to_json()["authors"][0] == "Keivan Alizadeh");
  const Paper flat = parse_paper(R"({"id": "2312.11514", "title": "T", "upvotes": 3})", "a test");
  CHECK(flat.title == "T");
  CHECK(flat.upvotes == 3);
  CHECK(flat.summary.empty());
}

TEST_CASE("A paper of another archive is left out of a list") {
  CHECK(
      parse_papers(
          R"([{"paper": {"id": "../../x", "title": "T"}}, {"paper": {"id": "2312.11514", "title": "T"}}])",
          "a test")
          .size() == 1);
  CHECK(parse_papers("[]", "a test").empty());
  CHECK_THROWS_AS(parse_paper(R"({"id": "../../x", "title": "T"})", "a test"), FormatError);
}

TEST_CASE("JSON of another shape is a FormatError that names where it came from") {
  for (const std::string text :
       {"", "{", "{}", "null", "3", "\"x\"", "[1]", "[null]", "[[]]", "[{}]", R"([{"paper": 3}])",
        R"([{"paper": null}])", R"([{"paper": {"id": 3, "title": "T"}}])",
        R"([{"paper": {"id": "2312.11514"}}])", R"([{"paper": {"title": "T"}}])", "<html></html>",
        "[\"\xff\"]"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_papers(text, "a test"), FormatError);
    CHECK_THROWS_WITH(parse_papers(text, "a test"), Catch::Matchers::ContainsSubstring("(a test)"));
  }
  const std::size_t deep = 100'000;
  CHECK_THROWS_AS(parse_papers(std::string(deep, '[') + std::string(deep, ']'), "a test"),
                  FormatError);
}

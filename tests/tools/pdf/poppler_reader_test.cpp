// SPDX-License-Identifier: Apache-2.0
#include "flashlm/tools/pdf/poppler_reader.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/pdf_writer.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::tools;

namespace {

struct Answers {
  std::vector<PdfInfo> infos{};
  std::vector<PdfPage> pages{};
  std::vector<std::string> errors{};
};

Answers ask(const std::string& bytes, const PdfRequest& request) {
  const support::TempFolder folder;
  support::put(folder / "a.pdf", bytes);
  const storage::File file = storage::File::open(folder / "a.pdf");
  Answers answers;
  PopplerReader(file, request)([&](char kind, std::string_view payload) {
    if (kind == kPdfInfo) {
      answers.infos.push_back(unpack_info(payload));
    } else if (kind == kPdfPage) {
      answers.pages.push_back(unpack_page(payload));
    } else {
      answers.errors.emplace_back(payload);
    }
  });
  return answers;
}

std::string five_pages() {
  support::PdfWriter pdf;
  pdf.title = "A title";
  for (int number = 1; number <= 5; ++number)
    pdf.page().text(72, 72, "page " + std::to_string(number));
  return pdf.bytes();
}

}  // namespace

TEST_CASE("the info comes first, then the pages that were asked for") {
  const Answers answers = ask(five_pages(), {.first_page = 2, .last_page = 4});
  REQUIRE(answers.infos.size() == 1);
  CHECK(answers.infos[0].title == "A title");
  CHECK(answers.infos[0].n_pages == 5);
  REQUIRE(answers.pages.size() == 3);
  CHECK(answers.pages[0].number == 2);
  CHECK(answers.pages[2].text == "page 4\n");
}

TEST_CASE("no page is sent beyond the number that is wanted") {
  CHECK(ask(five_pages(), {.max_pages = 0}).pages.empty());
  CHECK(ask(five_pages(), {.first_page = 3, .max_pages = 2}).pages.size() == 2);
  CHECK(ask(five_pages(), {.first_page = 6}).pages.empty());
}

TEST_CASE("what is no PDF is an error, and nothing else is sent") {
  const Answers answers = ask("%PDF-1.4 and nothing more", {});
  CHECK(answers.infos.empty());
  REQUIRE(answers.errors.size() == 1);
  CHECK_THAT(answers.errors[0],
             Catch::Matchers::ContainsSubstring("expected a PDF, got a damaged one"));
}

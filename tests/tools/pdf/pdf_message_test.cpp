// SPDX-License-Identifier: Apache-2.0
#include "flashlm/tools/pdf/pdf_message.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::tools;

TEST_CASE("info and pages arrive as they were sent") {
  const PdfInfo info = unpack_info(pack_info(
      {.title = "A title", .author = "", .n_pages = 70'000, .encrypted = true, .complete = false}));
  CHECK(info.title == "A title");
  CHECK(info.author.empty());
  CHECK(info.n_pages == 70'000);
  CHECK(info.encrypted);
  CHECK_FALSE(info.complete);
  const PdfPage page = unpack_page(pack_page({7, "two\nlines\n", true}));
  CHECK(page.number == 7);
  CHECK(page.text == "two\nlines\n");
  CHECK(page.damaged);
}

TEST_CASE("a part of a message is a FormatError") {
  const std::string info = pack_info({.title = "A title", .author = "An author"});
  for (std::size_t length = 0; length < info.size(); ++length) {
    CHECK_THROWS_AS(unpack_info(info.substr(0, length)), FormatError);
  }
  CHECK_THROWS_AS(unpack_page(std::string(16, '\xff')), FormatError);
}

TEST_CASE("text that is no UTF-8 becomes UTF-8") {
  CHECK(unpack_page(pack_page({1, "a\xff", false})).text == "a\ufffd");
}

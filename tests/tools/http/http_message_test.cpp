// SPDX-License-Identifier: Apache-2.0
/// http_message_test.cpp: answers and errors as values.
#include "flashlm/tools/http/http_message.hpp"

#include <cerrno>

#include "support/catch.hpp"

using namespace flashlm::tools;

TEST_CASE("A header that did not come is empty") {
  const HttpResponse response{.status = 200, .url = "https://a/", .headers = {{"etag", "x"}}};
  CHECK(response.header("etag") == "x");
  CHECK(response.header("age").empty());
}

TEST_CASE("An HTTP status has an errno, as files have one") {
  const auto code = [](int status) { return HttpError("[http] no", status, "https://a/").code(); };
  CHECK(code(404) == ENOENT);
  CHECK(code(403) == EACCES);
  CHECK(code(429) == EBUSY);
  CHECK(code(504) == ETIMEDOUT);
  CHECK(code(500) == EIO);
  CHECK(HttpError("[http] no", 418, "https://a/").status() == 418);
  CHECK(HttpError("[http] no", 418, "https://a/").path() == "https://a/");
}

// SPDX-License-Identifier: Apache-2.0
/// url_test.cpp: which addresses may be asked, and where a redirection may lead.
#include "flashlm/tools/http/url.hpp"

#include <iterator>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using flashlm::tools::percent_encode;
using flashlm::tools::Url;

TEST_CASE("https goes anywhere, plain http only to this machine") {
  for (const char* good :
       {"https://example.org", "https://example.org:8443/a?b=c", "http://127.0.0.1:8000/x",
        "http://localhost/", "http://[::1]:80/", "http://127.1.2.3/", "HTTPS://EXAMPLE.org/"}) {
    CAPTURE(good);
    CHECK_NOTHROW(Url::parse(good));
  }
  for (const char* bad : {"http://example.org/",
                          "http://127.0.0.1.example.org/",
                          "http://localhost.example.org/",
                          "http://10.0.0.1/",
                          "http://0.0.0.0/",
                          "ftp://example.org/",
                          "file:///etc/passwd",
                          "gopher://x",
                          "data:text/plain,hi",
                          "example.org",
                          "/path",
                          "",
                          "https://",
                          "https:///",
                          "http://127.0.0.1@evil.org/",
                          "https://user:secret@example.org/",
                          "https://user@example.org/",
                          "https://a b/",
                          " https://a/",
                          "https://a/\r\nHost: b",
                          "https://a/\x7f",
                          "https://a:99999/"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(Url::parse(bad), ArgumentError);
  }
}

TEST_CASE("An error never shows a password") {
  CHECK_THROWS_WITH(Url::parse("https://user:secret@example.org/"),
                    !Catch::Matchers::ContainsSubstring("secret"));
}

TEST_CASE("The parts of an address are normal") {
  const Url url = Url::parse("HTTPS://Example.ORG/a/../b#part");
  CHECK(url.host() == "example.org");
  CHECK(url.is_secure());
  CHECK_FALSE(url.is_loopback());
  CHECK(url.text().find('#') == std::string::npos);
}

TEST_CASE("Origins differ in scheme, host or port") {
  const Url url = Url::parse("https://example.org/a");
  CHECK(url.has_origin_of(Url::parse("https://example.org:443/b")));
  CHECK_FALSE(url.has_origin_of(Url::parse("https://example.org:444/a")));
  CHECK_FALSE(url.has_origin_of(Url::parse("https://www.example.org/a")));
  CHECK_FALSE(
      Url::parse("http://localhost:443/").has_origin_of(Url::parse("https://localhost:443/")));
}

TEST_CASE("A redirection may be relative") {
  const Url url = Url::parse("https://example.org/a/b?c=d");
  CHECK(url.redirected("/x").text() == "https://example.org/x");
  CHECK(url.redirected("x").text() == "https://example.org/a/x");
  CHECK(url.redirected("?x=y").text() == "https://example.org/a/b?x=y");
  CHECK(url.redirected("//other.org/x").text() == "https://other.org/x");
  CHECK(url.redirected("https://other.org/x").text() == "https://other.org/x");
}

TEST_CASE("A redirection never leads from https to http, to this machine, or to a file") {
  const Url away = Url::parse("https://example.org/");
  for (const char* bad :
       {"http://example.org/", "http://localhost/", "https://localhost/", "https://127.0.0.1:80/",
        "file:///etc/passwd", "javascript:alert(1)", "https://u:p@example.org/", "https://a b/"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(away.redirected(bad), IoError);
  }
  const Url here = Url::parse("http://127.0.0.1:8000/");
  CHECK(here.redirected("http://localhost:9000/x").text() == "http://localhost:9000/x");
  CHECK(here.redirected("https://example.org/").is_secure());
  CHECK_THROWS_AS(here.redirected("http://example.org/"), IoError);
  CHECK_THROWS_AS(Url::parse("https://localhost/").redirected("http://localhost/"), IoError);
}

TEST_CASE("Percent encoding leaves nothing that could end a query") {
  CHECK(percent_encode("a b&c=d/\xc3\xa9~") == "a%20b%26c%3Dd%2F%C3%A9~");
  CHECK(percent_encode("") == "");
}

TEST_CASE("Whatever the text, an address that is accepted is https or of this machine") {
  Random random(7);
  const std::string parts[] = {"http",      "https",     "file",     ":",     "//", "/", "@",
                               "127.0.0.1", "localhost", "evil.org", "[::1]", "#",  "?", "\\",
                               ".",         ":80",       "%00",      " ",     "\t", "x", "1"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::uint64_t n = random.next() % 8; n > 0; --n)
      text += parts[random.next() % std::size(parts)];
    try {
      const Url url = Url::parse(text);
      CAPTURE(text, url.text());
      REQUIRE((url.is_secure() || url.is_loopback()));
      REQUIRE(Url::parse(url.text()).host() == url.host());
    } catch (const ArgumentError&) {
      continue;
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
/// http_transfer_test.cpp: one request to servers that behave and servers that do not.
#include "flashlm/tools/http/http_transfer.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "support/catch.hpp"
#include "support/gzip.hpp"
#include "support/loopback_server.hpp"

using namespace flashlm;
using namespace flashlm::tools;
using support::answer;
using support::Connection;
using support::LoopbackServer;
using support::Received;

namespace {

constexpr double kLong = 600;  // for what no test is about: a machine may stop for many seconds

/// With limits of time that are far away where a test does not set them.
HttpOptions patient(HttpOptions options) {
  options.connect_seconds = kLong;
  if (options.stall_seconds == HttpOptions().stall_seconds) options.stall_seconds = kLong;
  return options;
}

HttpResponse run(const LoopbackServer& server, const HttpOptions& options = {},
                 const HttpRequest& request = {}) {
  const HttpOptions all = patient(options);
  HttpTransfer transfer(all);
  transfer.run(Url::parse(server.url("/x")), request, true, kLong);
  return transfer.response;
}

/// The errno of the failure, and whether it may pass.
std::pair<int, bool> failure(const LoopbackServer& server, const HttpOptions& options = {},
                             double seconds = kLong) {
  const HttpOptions all = patient(options);
  HttpTransfer transfer(all);
  try {
    transfer.run(Url::parse(server.url("/x")), {}, true, seconds);
  } catch (const IoError& error) {
    CHECK(error.path() == server.url("/x"));
    return {error.code(), transfer.transient()};
  }
  return {0, false};
}

}  // namespace

TEST_CASE("A good answer arrives whole, with its headers") {
  const LoopbackServer server(
      answer("200 OK", "hello", "Content-Type:  text/plain \r\nX-Empty:\r\n"));
  const HttpResponse response = run(server);
  CHECK(response.status == 200);
  CHECK(response.url == server.url("/x"));
  CHECK(response.body == "hello");
  CHECK(response.header("content-type") == "text/plain");
  CHECK(response.headers.count("x-empty") == 1);
}

TEST_CASE("A request says who asks, what it accepts, and carries headers and token") {
  const LoopbackServer server(answer("200 OK", ""));
  run(server, {.user_agent = "flashlm-test/1"},
      {.url = "", .headers = {{"X-Test", "yes"}}, .token = "hf_secret"});
  const Received request = server.received().at(0);
  CHECK(request.target == "/x");
  CHECK(request.has("GET /x HTTP/1.1\r\n"));
  CHECK(request.has("User-Agent: flashlm-test/1\r\n"));
  CHECK(request.has("X-Test: yes\r\n"));
  CHECK(request.has("Authorization: Bearer hf_secret\r\n"));
}

TEST_CASE("A header or token that would begin a second line is refused before anything is sent") {
  const LoopbackServer server(answer("200 OK", ""));
  CHECK_THROWS_AS(run(server, {}, {.url = "", .headers = {{"X", "a\r\nY: b"}}}), ArgumentError);
  CHECK_THROWS_AS(run(server, {}, {.url = "", .token = "a\nb"}), ArgumentError);
  CHECK(server.received().empty());
}

TEST_CASE("A compressed body arrives as it was, and a bomb is stopped at the limit") {
  CHECK(run(LoopbackServer(answer("200 OK", support::gzip("hello"), "Content-Encoding: gzip\r\n")))
            .body == "hello");
  const std::string bomb = support::gzip_bomb(std::size_t{64} << 20);
  REQUIRE(bomb.size() < std::size_t{1} << 20);
  const LoopbackServer server(answer("200 OK", bomb, "Content-Encoding: gzip\r\n"));
  CHECK(failure(server, {.max_bytes = std::uint64_t{1} << 20}) == std::pair(EFBIG, false));
  CHECK(failure(LoopbackServer(answer("200 OK", "no gzip", "Content-Encoding: gzip\r\n"))).first ==
        EIO);
}

TEST_CASE("A body of the limit arrives, one byte more does not") {
  const LoopbackServer server(answer("200 OK", std::string(1000, 'x')));
  CHECK(run(server, {.max_bytes = 1000}).body.size() == 1000);
  CHECK(failure(server, {.max_bytes = 999}) == std::pair(EFBIG, false));
}

TEST_CASE("A body without an end is stopped at the limit") {
  const LoopbackServer server([](const Received&, Connection& client) {
    client.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    while (client.send(std::string(65536, 'x'))) continue;
  });
  CHECK(failure(server, {.max_bytes = std::uint64_t{4} << 20}) == std::pair(EFBIG, false));
}

TEST_CASE("An announced length above the limit is refused without reading it") {
  const LoopbackServer server([](const Received&, Connection& client) {
    client.send("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx");
    client.pause(kLong);
  });
  CHECK(failure(server) == std::pair(EFBIG, false));
}

TEST_CASE("A head without an end is stopped") {
  const LoopbackServer server([](const Received&, Connection& client) {
    client.send("HTTP/1.1 200 OK\r\n");
    for (int i = 0; client.send("X-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n");
         ++i)
      continue;
  });
  CHECK(failure(server).first != 0);
}

TEST_CASE("A body that is cut short is an error that may pass") {
  const LoopbackServer server(
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhello");
  CHECK(failure(server) == std::pair(ECONNRESET, true));
  CHECK(failure(LoopbackServer(std::string())) == std::pair(ECONNRESET, true));
  CHECK(
      failure(LoopbackServer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello")) ==
      std::pair(ECONNRESET, true));
}

TEST_CASE("A body longer than announced ends where it was announced to") {
  CHECK(run(LoopbackServer(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello, world"))
            .body == "hello");
}

TEST_CASE("What is no HTTP is an error") {
  CHECK(failure(LoopbackServer("\x16\x03\x01 not a web server\r\n\r\n")).first != 0);
}

TEST_CASE("Silence and slowness end a transfer in time") {
  const LoopbackServer silent([](const Received&, Connection& client) { client.pause(kLong); });
  CHECK(failure(silent, {.stall_seconds = 0.2}) == std::pair(ETIMEDOUT, true));
  const LoopbackServer slow([](const Received&, Connection& client) {
    client.send("HTTP/1.1 200 OK\r\n\r\n");
    while (client.send("x")) client.pause(0.05);
  });
  CHECK(failure(slow, {}, 1) == std::pair(ETIMEDOUT, true));
}

TEST_CASE("Where nobody listens there is no connection") {
  std::string closed;
  {
    const LoopbackServer server(answer("200 OK", ""));
    closed = server.url("/x");
  }
  const HttpOptions options = patient({});
  HttpTransfer transfer(options);
  try {
    transfer.run(Url::parse(closed), {}, true, kLong);
    FAIL("it found a server");
  } catch (const IoError& error) {
    CHECK(error.code() == ECONNREFUSED);
    CHECK(transfer.transient());
  }
}

TEST_CASE("A refusal is an answer, of which only the beginning is kept") {
  const HttpResponse response =
      run(LoopbackServer(answer("404 Not Found", std::string(1'000'000, 'x'))));
  CHECK(response.status == 404);
  CHECK(response.body.size() <= std::size_t{64} << 10);
}

TEST_CASE("A redirection is told, not followed") {
  const LoopbackServer server(answer("302 Found", "", "Location: /y\r\n"));
  const HttpOptions options = patient({});
  HttpTransfer transfer(options);
  transfer.run(Url::parse(server.url("/x")), {}, true, kLong);
  CHECK(transfer.response.status == 302);
  CHECK(transfer.location == "/y");
  CHECK(server.received().size() == 1);
}

TEST_CASE(
    "The time that a server asks for is known, as seconds, as a date, or as the hub writes it") {
  const auto wait = [](std::string_view lines) {
    const LoopbackServer server(answer("429 Too Many Requests", "", lines));
    const HttpOptions options = patient({});
    HttpTransfer transfer(options);
    transfer.run(Url::parse(server.url()), {}, true, kLong);
    return transfer.retry_after;
  };
  CHECK(wait("Retry-After: 7\r\n") == 7);
  CHECK(wait("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n") == 0);
  CHECK(wait("Retry-After: Sun, 06 Nov 2094 08:49:37 GMT\r\n") > 1e6);
  CHECK(wait("Retry-After: soon\r\n") == 0);
  CHECK(wait("RateLimit: \"api\";r=0;t=33\r\n") == 33);
  CHECK(wait("") == 0);
}

TEST_CASE("Progress is told, and what it throws reaches the caller") {
  const LoopbackServer server(answer("200 OK", std::string(100'000, 'x')));
  HttpProgress last;
  run(server, {.progress = [&](const HttpProgress& now) { last = now; }});
  CHECK(last.done == 100'000);
  CHECK(last.total == 100'000);
  CHECK(last.attempt == 1);
  CHECK_THROWS_WITH(
      run(server, {.progress = [](const HttpProgress&) { throw std::runtime_error("enough"); }}),
      "enough");
}

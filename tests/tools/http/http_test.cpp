// SPDX-License-Identifier: Apache-2.0
/// http_test.cpp: redirections that are checked and tries that are patient.
#include "flashlm/tools/http/http.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/loopback_server.hpp"

using namespace flashlm;
using namespace flashlm::tools;
using Catch::Matchers::ContainsSubstring;
using support::answer;
using support::Connection;
using support::LoopbackServer;
using support::Received;

namespace {

/// Answers the first requests with `first`, one after the other, and all others with `last`.
LoopbackServer::Handler in_turn(std::vector<std::string> first, std::string last) {
  auto count = std::make_shared<std::atomic<std::size_t>>(0);
  return [=](const Received&, Connection& client) {
    const std::size_t index = (*count)++;
    client.send(index < first.size() ? first[index] : last);
  };
}

std::string redirect(const std::string& location, const std::string& status = "302 Found") {
  return answer(status, "", "Location: " + location + "\r\n");
}

// The limits of time that no test is about are far away: a machine may stop for many seconds.
const HttpOptions kPatient{.connect_seconds = 600, .stall_seconds = 600};
const HttpOptions kQuick{.connect_seconds = 600, .stall_seconds = 600, .backoff_seconds = 0.01};
const HttpOptions kOnce{.connect_seconds = 600, .stall_seconds = 600, .max_tries = 1};

int error_code(const HttpRequest& request, const HttpOptions& options = kOnce) {
  try {
    http_get(request, options);
  } catch (const IoError& error) {
    return error.code();
  }
  return 0;
}

}  // namespace

TEST_CASE("A fetch follows redirections to the end") {
  const LoopbackServer other(answer("200 OK", "there"));
  const LoopbackServer server([&](const Received& request, Connection& client) {
    client.send(request.target == "/a"     ? redirect("b?c", "301 Moved")
                : request.target == "/b?c" ? redirect("/d", "308 Permanent")
                                           : redirect(other.url("/e")));
  });
  const HttpResponse response = http_get({.url = server.url("/a")}, kPatient);
  CHECK(response.body == "there");
  CHECK(response.url == other.url("/e"));
  CHECK(server.received().size() == 3);
}

TEST_CASE("A token stays with its scheme, host and port; other headers go along") {
  const LoopbackServer other(answer("200 OK", "there"));
  const LoopbackServer server([&](const Received& request, Connection& client) {
    client.send(request.target == "/a" ? redirect("/b") : redirect(other.url("/c")));
  });
  http_get({.url = server.url("/a"), .headers = {{"X-Test", "yes"}}, .token = "secret"}, kPatient);
  REQUIRE(server.received().size() == 2);
  CHECK(server.received()[0].has("Bearer secret"));
  CHECK(server.received()[1].has("Bearer secret"));
  REQUIRE(other.received().size() == 1);
  CHECK_FALSE(other.received()[0].has("secret"));
  CHECK_FALSE(other.received()[0].has("Authorization"));
  CHECK(other.received()[0].has("X-Test: yes"));
}

TEST_CASE("A token that stayed behind at one redirection does not come after at the next") {
  const LoopbackServer other([&](const Received& request, Connection& client) {
    client.send(request.target == "/x" ? redirect("/y") : answer("200 OK", "there"));
  });
  const LoopbackServer server(redirect(other.url("/x", "localhost")));
  CHECK(http_get({.url = server.url(), .token = "secret"}, kPatient).body == "there");
  REQUIRE(other.received().size() == 2);
  for (const Received& request : other.received()) CHECK_FALSE(request.has("secret"));
}

TEST_CASE("Redirections that lead in a circle come to an end") {
  const LoopbackServer server(redirect("/again"));
  CHECK(error_code({.url = server.url()}) == ELOOP);
  CHECK(server.received().size() == 6);
}

TEST_CASE("A redirection to a file, to plain http elsewhere or with a password is refused") {
  for (const char* target : {"file:///etc/passwd", "http://example.org/", "ftp://example.org/",
                             "https://u:p@example.org/", "http://127.0.0.1@example.org/"}) {
    CAPTURE(target);
    const LoopbackServer server(redirect(target));
    CHECK(error_code({.url = server.url()}, kPatient) == EPERM);
    CHECK(server.received().size() == 1);
  }
}

TEST_CASE("An address that is not allowed is refused before anything is sent") {
  CHECK_THROWS_AS(http_get({.url = "http://example.org/"}), ArgumentError);
  CHECK_THROWS_AS(http_get({.url = "file:///etc/passwd"}), ArgumentError);
}

TEST_CASE("A busy server gets further tries") {
  for (const char* status :
       {"429 Too Many Requests", "500 Oops", "502 Bad", "503 Busy", "504 Late", "408 Late"}) {
    const LoopbackServer server(
        in_turn({answer(status, "no"), answer(status, "no")}, answer("200 OK", "yes")));
    CHECK(http_get({.url = server.url()}, kQuick).body == "yes");
    CHECK(server.received().size() == 3);
  }
}

TEST_CASE("A connection that is cut gets further tries, and nothing of a broken try remains") {
  const std::string cut = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Old: yes\r\n\r\nhel";
  const LoopbackServer server(in_turn({cut, ""}, answer("200 OK", "hello")));
  const HttpResponse response = http_get({.url = server.url()}, kQuick);
  CHECK(response.body == "hello");
  CHECK(response.header("x-old").empty());
}

TEST_CASE("Tries come to an end") {
  const LoopbackServer server(answer("503 Busy", ""));
  CHECK(error_code({.url = server.url()}, kQuick) == EBUSY);
  CHECK(server.received().size() == 4);
}

TEST_CASE("A refusal is final, and says what the server says") {
  for (const char* status :
       {"400 Bad", "401 Who", "403 No", "404 Not Found", "410 Gone", "501 What"}) {
    const LoopbackServer server(answer(status, "{\"error\":\"no \x01 such \xff date\"}",
                                       "Content-Type: application/json\r\n"));
    CHECK_THROWS_WITH(http_get({.url = server.url()}, kQuick),
                      ContainsSubstring(std::string("got ") + std::string(status).substr(0, 3)) &&
                          ContainsSubstring("\"no   such \xef\xbf\xbd date\"") &&
                          ContainsSubstring(server.url()));
    CHECK(server.received().size() == 1);
  }
  const LoopbackServer page(
      answer("404 Not Found", "<html>long</html>", "Content-Type: text/html\r\n"));
  CHECK_THROWS_WITH(http_get({.url = page.url()}, kPatient), !ContainsSubstring("html"));
  CHECK_THROWS_AS(http_get({.url = page.url()}, kPatient), HttpError);
}

TEST_CASE("The wait that a server asks for is kept, and its end is told") {
  const LoopbackServer server(
      in_turn({answer("429 Too Many", "", "Retry-After: 1\r\n")}, answer("200 OK", "yes")));
  double longest = 0;
  HttpOptions options = kQuick;
  options.progress = [&](const HttpProgress& now) {
    longest = std::max(longest, now.waiting_seconds);
  };
  CHECK(http_get({.url = server.url()}, options).body == "yes");
  const auto seen = server.received();
  REQUIRE(seen.size() == 2);
  CHECK(seen[1].time - seen[0].time >= std::chrono::milliseconds(950));
  CHECK(longest == 1);
}

TEST_CASE("A wait that is too long is an error that names it") {
  const LoopbackServer server(answer("429 Too Many", "", "Retry-After: 3600\r\n"));
  CHECK_THROWS_WITH(http_get({.url = server.url()}, kPatient), ContainsSubstring("wait of 3600 s"));
  CHECK(server.received().size() == 1);
  const LoopbackServer busy(answer("503 Busy", "", "Retry-After: 1000\r\n"));
  HttpOptions options = kPatient;
  options.total_seconds = 600;
  options.longest_wait_seconds = 2000;
  CHECK(error_code({.url = busy.url()}, options) == EBUSY);
  CHECK(busy.received().size() == 1);
}

TEST_CASE("The time limit is on all tries together") {
  const LoopbackServer server([](const Received&, Connection& client) { client.pause(600); });
  const HttpOptions options{
      .stall_seconds = 0.3, .total_seconds = 1.5, .max_tries = 12, .backoff_seconds = 0.001};
  CHECK(error_code({.url = server.url()}, options) == ETIMEDOUT);
  CHECK(server.received().size() <= 5);  // each try takes what a silence takes, or more
}

TEST_CASE("What a callback throws ends a transfer and a wait") {
  const LoopbackServer server(answer("503 Busy", "", "Retry-After: 30\r\n"));
  const auto with = [](auto member, auto callback) {
    HttpOptions options = kPatient;
    options.*member = callback;
    return options;
  };
  const auto stop_when_waiting = [](const HttpProgress& now) {
    if (now.waiting_seconds > 0) throw std::runtime_error("enough");
  };
  CHECK_THROWS_WITH(
      http_get({.url = server.url()}, with(&HttpOptions::progress, stop_when_waiting)), "enough");
  const auto refuse = [](const std::string&) { throw std::runtime_error("not now"); };
  CHECK_THROWS_WITH(http_get({.url = server.url()}, with(&HttpOptions::before_request, refuse)),
                    "not now");
  CHECK(server.received().size() == 1);
}

TEST_CASE("Every request is announced: redirections and tries too") {
  const LoopbackServer server(
      in_turn({redirect("/b"), answer("503 Busy", "")}, answer("200 OK", "yes")));
  std::vector<std::string> asked;
  HttpOptions options = kQuick;
  options.before_request = [&](const std::string& url) { asked.push_back(url); };
  http_get({.url = server.url("/a")}, options);
  CHECK(asked == std::vector<std::string>{server.url("/a"), server.url("/b"), server.url("/a")});
}

TEST_CASE("Many threads may fetch at once") {
  const LoopbackServer server([](const Received& request, Connection& client) {
    client.send(answer("200 OK", request.target));
  });
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::string target = "/" + std::to_string(i);
      for (int round = 0; round < 5; ++round)
        good += http_get({.url = server.url(target)}, kPatient).body == target;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 40);
}

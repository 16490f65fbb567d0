// SPDX-License-Identifier: Apache-2.0
/// papers_test.cpp: the hub's papers, from a hub and an arXiv on loopback, and from the cache
/// without them.
#include "flashlm/tools/papers/papers.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/loopback_server.hpp"
#include "support/stopwatch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::tools;
using Catch::Matchers::ContainsSubstring;
using support::answer;
using support::Connection;
using support::LoopbackServer;
using support::Received;

namespace {

const std::string kPdf = "%PDF-1.5\n1 0 obj\nendobj\ntrailer\n%%EOF\n";

std::string item(std::string_view id, std::string_view title, int upvotes,
                 std::string_view summary = "Nothing.", std::string_view day = "2025-11-20",
                 int comments = 0) {
  return concat(R"({"paper": {"id": ")", id, R"(", "title": ")", title, R"(", "summary": ")",
                summary, R"(", "upvotes": )", upvotes, R"(, "submittedOnDailyAt": ")", day,
                R"(T00:00:00.000Z"}, "numComments": )", comments, "}");
}

const std::string kToday = "[" + item("2511.00001", "Dogs", 90) + "," +
                           item("2511.00002", "LLM agents", 5, "Agents.", "2025-11-20", 1) + "," +
                           item("2511.00003", "Cats", 70, "Cats for large language models.") + "," +
                           item("2511.00004", "Large language models", 20) + "," +
                           item("2511.00005", "LLM tools", 5, "Tools.", "2025-11-20", 7) + "]";
const std::string kYesterday = "[" +
                               item("2511.00010", "LLM in a flash", 300, "Flash.", "2025-11-19") +
                               "," + item("2511.00002", "LLM agents", 5) + "]";

/// A hub with two days, one paper's text, and a search.
void serve_hub(const Received& request, Connection& client) {
  const auto at = [&](std::string_view start) { return request.target.starts_with(start); };
  const std::string_view json = "Content-Type: application/json\r\n";
  if (at("/api/daily_papers?limit=") || at("/api/daily_papers?date=2025-11-20") ||
      at("/api/daily_papers?sort=trending")) {
    client.send(answer("200 OK", kToday, json));
  } else if (at("/api/daily_papers?date=2025-11-19")) {
    client.send(answer("200 OK", kYesterday, json));
  } else if (at("/api/daily_papers?date=2025-11-18")) {
    client.send(answer("400 Bad Request", R"({"error": "no such day"})", json));
  } else if (at("/api/daily_papers")) {
    client.send(answer("200 OK", "[]", json));
  } else if (at("/api/papers/search?q=flash%20%26%20neurons&limit=2")) {
    client.send(answer("200 OK", kToday, json));
  } else if (at("/api/papers/2511.00002")) {
    client.send(
        answer("200 OK", R"({"id": "2511.00002", "title": "LLM agents", "upvotes": 5})", json));
  } else if (at("/papers/2511.00002.md")) {
    client.send(answer("200 OK", "# LLM agents\n\nText\xff.", "Content-Type: text/markdown\r\n"));
  } else if (at("/papers/2511.00003.md")) {
    client.send(
        answer("200 OK", "\n <!DOCTYPE html><html></html>", "Content-Type: text/markdown\r\n"));
  } else {
    client.send(answer("404 Not Found", "{}", json));
  }
}

PapersOptions options_of(const support::TempFolder& folder, const std::string& hub,
                         const std::string& arxiv = "") {
  PapersOptions options;
  options.hub = hub;
  options.arxiv = arxiv;
  options.token = "hf_secret";
  options.cache = folder.path();
  options.arxiv_interval_seconds = 0.2;
  options.http.backoff_seconds = 0.01;
  options.http.connect_seconds = options.http.stall_seconds =
      600;  // a machine may stop for many seconds
  return options;
}

std::vector<std::string> ids(const std::vector<Paper>& papers) {
  std::vector<std::string> result;
  for (const Paper& paper : papers) result.push_back(paper.id);
  return result;
}
using Ids = std::vector<std::string>;

template <class Call>
int error_code(Call&& call) {
  try {
    call();
  } catch (const IoError& error) {
    return error.code();
  }
  return 0;
}

const PaperId kId = PaperId::parse("2511.00002");

}  // namespace

TEST_CASE("Daily papers come by votes, then by comments") {
  const support::TempFolder folder;
  const LoopbackServer hub(&serve_hub);
  const Papers papers(options_of(folder, hub.url()));
  CHECK(ids(papers.daily()) ==
        Ids{"2511.00001", "2511.00003", "2511.00004", "2511.00005", "2511.00002"});
  CHECK(ids(papers.daily({.top = 2})) == Ids{"2511.00001", "2511.00003"});
  CHECK(ids(papers.daily({.order = DailyOrder::trend})).front() == "2511.00001");
  CHECK(ids(papers.daily({.order = DailyOrder::trend}))[1] == "2511.00002");
}

TEST_CASE("Daily papers of a topic: first those about it, then those that mention it") {
  const support::TempFolder folder;
  const LoopbackServer hub(&serve_hub);
  const Papers papers(options_of(folder, hub.url()));
  CHECK(ids(papers.daily({.topic = "LLM"})) ==
        Ids{"2511.00004", "2511.00005", "2511.00002", "2511.00003"});
  CHECK(ids(papers.daily({.topic = "llm", .top = 1})) == Ids{"2511.00004"});
  CHECK(ids(papers.daily({.topic = "LLM", .order = DailyOrder::trend})) ==
        Ids{"2511.00002", "2511.00004", "2511.00005", "2511.00003"});
  CHECK(papers.daily({.topic = "quantum chemistry"}).empty());
}

TEST_CASE(
    "Earlier days are asked only if the later ones have too few, and an unknown day is an empty "
    "one") {
  const support::TempFolder folder;
  const LoopbackServer hub(&serve_hub);
  const Papers papers(options_of(folder, hub.url()));
  CHECK(ids(papers.daily({.topic = "LLM", .top = 2, .days = 7})) ==
        Ids{"2511.00004", "2511.00005"});
  CHECK(hub.received().size() == 1);
  CHECK(ids(papers.daily({.topic = "LLM", .days = 4})) ==
        Ids{"2511.00004", "2511.00005", "2511.00002", "2511.00003", "2511.00010"});
  REQUIRE(hub.received().size() == 4);
  CHECK(hub.received()[1].target == "/api/daily_papers?date=2025-11-19&limit=100&p=0");
  CHECK(hub.received()[3].target == "/api/daily_papers?date=2025-11-17&limit=100&p=0");
  CHECK_THROWS_WITH(papers.daily({.date = "2025-11-18"}), ContainsSubstring("no such day"));
  CHECK(papers.daily({.month = "2025-10"}).empty());
}

TEST_CASE("A list of several pages is read to its end, and one that repeats itself too") {
  const support::TempFolder folder;
  const auto page = [](int first, int count) {
    std::string text = "[";
    for (int i = first; i < first + count; ++i)
      text += (i > first ? "," : "") + item(concat(2501 + i / 1000, ".", 10000 + i), "T", i);
    return text + "]";
  };
  const LoopbackServer hub([&](const Received& request, Connection& client) {
    const bool endless = request.target.find("month=2025-01") != std::string::npos;
    const bool first = request.target.ends_with("&p=0");
    const bool second = request.target.ends_with("&p=1");
    client.send(answer("200 OK", endless || first ? page(0, 100)
                                 : second         ? page(99, 100)
                                                  : page(199, 3)));
  });
  const Papers papers(options_of(folder, hub.url()));
  CHECK(papers.daily({.top = 1000, .week = "2025-W09"}).size() == 202);
  CHECK(hub.received().size() == 3);
  CHECK(papers.daily({.top = 1000, .month = "2025-01"}).size() == 100);
  CHECK(hub.received().size() == 5);
}

TEST_CASE("A search keeps the hub's order") {
  const support::TempFolder folder;
  const LoopbackServer hub(&serve_hub);
  const Papers papers(options_of(folder, hub.url()));
  CHECK(ids(papers.search("flash & neurons", 2)) == Ids{"2511.00001", "2511.00002"});
  CHECK_THROWS_AS(papers.search(""), ArgumentError);
  CHECK_THROWS_AS(papers.search(std::string(251, 'x')), ArgumentError);
  CHECK_THROWS_AS(papers.search("x", 0), ArgumentError);
  CHECK_THROWS_AS(papers.search("x", 121), ArgumentError);
}

TEST_CASE("A paper's record and its Markdown come from the hub, which gets the token") {
  const support::TempFolder folder;
  const LoopbackServer hub(&serve_hub);
  const Papers papers(options_of(folder, hub.url()));
  CHECK(papers.info(kId).title == "LLM agents");
  CHECK(papers.markdown(kId) == "# LLM agents\n\nText\xef\xbf\xbd.");
  CHECK_FALSE(papers.markdown(PaperId::parse("2511.09999")));
  CHECK_THROWS_AS(papers.markdown(PaperId::parse("2511.00003")), FormatError);
  CHECK(error_code([&] { papers.info(PaperId::parse("2511.09999")); }) == ENOENT);
  for (const Received& request : hub.received())
    CHECK(request.has("Authorization: Bearer hf_secret\r\n"));
  const std::size_t asked = hub.received().size();
  papers.markdown(kId.with_version(3));
  papers.info(kId);
  CHECK(hub.received().size() == asked);
  papers.markdown(kId, /*refresh=*/true);
  CHECK(hub.received().size() == asked + 1);
}

TEST_CASE("A PDF comes from arXiv once, with its version and without the token") {
  const support::TempFolder folder;
  const LoopbackServer arxiv(
      answer("200 OK", kPdf, "Content-Disposition: inline; filename=\"2511.00002v3.pdf\"\r\n"));
  const Papers papers(options_of(folder, "", arxiv.url()));
  const std::filesystem::path path = papers.pdf(kId);
  CHECK(path == folder / "pdf/2511.00002v3.pdf");
  CHECK(support::content(path).size() == kPdf.size());
  CHECK(papers.pdf(kId) == path);
  CHECK(papers.pdf(kId.with_version(3)) == path);
  REQUIRE(arxiv.received().size() == 1);
  CHECK(arxiv.received()[0].target == "/pdf/2511.00002");
  CHECK_FALSE(arxiv.received()[0].has("hf_secret"));
  CHECK(arxiv.received()[0].has("User-Agent: flashlm/"));
  CHECK(papers.pdf(kId.with_version(1)) == folder / "pdf/2511.00002v1.pdf");
  CHECK(arxiv.received()[1].target == "/pdf/2511.00002v1");
  papers.pdf(kId, /*refresh=*/true);
  CHECK(arxiv.received().size() == 3);
}

TEST_CASE("A PDF whose version nobody tells has none; a redirection may tell it") {
  const support::TempFolder folder;
  const LoopbackServer arxiv([](const Received& request, Connection& client) {
    if (request.target == "/pdf/hep-th/9901001")
      return void(client.send(answer("302 Found", "", "Location: /pdf/hep-th/9901001v2\r\n")));
    client.send(answer("200 OK", kPdf));
  });
  const Papers papers(options_of(folder, "", arxiv.url()));
  CHECK(papers.pdf(kId) == folder / "pdf/2511.00002.pdf");
  CHECK(papers.pdf(PaperId::parse("hep-th/9901001")) == folder / "pdf/hep-th_9901001v2.pdf");
}

TEST_CASE("What is no PDF, or not a whole one, is refused and not kept") {
  for (const std::string& body :
       {std::string("<html>Please wait</html>"), std::string(), std::string("%PDF-1.5\nhalf of it"),
        std::string(5000, 'x') + kPdf}) {
    const support::TempFolder folder;
    const LoopbackServer arxiv(answer("200 OK", body, "Content-Type: text/html\r\n"));
    const Papers papers(options_of(folder, "", arxiv.url()));
    CHECK_THROWS_AS(papers.pdf(kId), FormatError);
    CHECK_FALSE(papers.cache().find_pdf(kId));
  }
}

TEST_CASE("A PDF that is too large, missing or cut short is an IoError and not kept") {
  const support::TempFolder folder;
  const auto code = [&](const std::string& bytes) {
    const LoopbackServer arxiv(bytes);
    PapersOptions options = options_of(folder, "", arxiv.url());
    options.arxiv_interval_seconds = 0;
    options.max_pdf_bytes = 1000;
    return error_code([&] { Papers(options).pdf(kId); });
  };
  CHECK(code(answer("200 OK", kPdf + std::string(1000, ' '))) == EFBIG);
  CHECK(code(answer("404 Not Found", "")) == ENOENT);
  CHECK(code(answer("403 Forbidden", "")) == EACCES);
  CHECK(code("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + kPdf) == ECONNRESET);
  CHECK_FALSE(Papers(options_of(folder, "")).cache().find_pdf(kId));
}

TEST_CASE(
    "Requests to arXiv keep their distance and their turn: tries, redirections and other threads "
    "too") {
  const support::TempFolder folder;
  std::atomic<int> count = 0;
  std::atomic<int> open = 0;
  std::atomic<bool> crowded = false;
  const support::Stopwatch start;
  std::array<std::atomic<double>, 8> seconds{};  // at which requests came
  const LoopbackServer arxiv([&](const Received&, Connection& client) {
    if (++open > 1) crowded = true;
    const int n = count++;
    seconds.at(static_cast<std::size_t>(n)) = start.seconds();
    client.pause(0.02);
    --open;
    client.send(n == 0   ? answer("503 Busy", "")
                : n == 1 ? answer("302 Found", "", "Location: /elsewhere\r\n")
                         : answer("200 OK", kPdf));
  });
  const PapersOptions options = options_of(folder, "", arxiv.url());
  std::vector<std::thread> threads;
  for (const char* id : {"2511.00001", "2511.00002", "2511.00002"}) {
    threads.emplace_back([&options, id] { Papers(options).pdf(PaperId::parse(id)); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(count ==
        4);  // 503, a redirection and its end, one more paper; the same paper is found in the cache
  CHECK_FALSE(crowded);
  // From the start, not from one to the next: a server that is held up sees a request late.
  for (std::size_t i = 1; i < 4; ++i)
    CHECK(seconds[i].load() >= 0.2 * static_cast<double>(i) - 0.01);
}

TEST_CASE("Offline, what was fetched is there and nothing is asked") {
  const support::TempFolder folder;
  PapersOptions options;
  {
    const LoopbackServer hub(&serve_hub);
    const LoopbackServer arxiv(answer("200 OK", kPdf));
    options = options_of(folder, hub.url(), arxiv.url());
    options.list_seconds = 0;
    const Papers papers(options);
    papers.daily({.topic = "LLM"});
    papers.info(kId);
    papers.markdown(kId);
    papers.pdf(kId);
  }
  options.offline = true;
  const Papers papers(options, [](const HttpRequest&, const HttpOptions&) -> HttpResponse {
    throw std::logic_error("something was asked");
  });
  CHECK(ids(papers.daily({.topic = "LLM", .top = 1})) == Ids{"2511.00004"});
  CHECK(ids(papers.daily({.topic = "LLM", .days = 3})).size() == 4);
  CHECK(papers.info(kId).title == "LLM agents");
  CHECK(papers.markdown(kId, /*refresh=*/true)->starts_with("# LLM"));
  CHECK(papers.pdf(kId, /*refresh=*/true) == folder / "pdf/2511.00002.pdf");
  CHECK(error_code([&] { papers.daily({.date = "2025-11-20"}); }) == ENETDOWN);
  CHECK(error_code([&] { papers.search("x"); }) == ENETDOWN);
  CHECK(error_code([&] { papers.markdown(PaperId::parse("2511.00001")); }) == ENETDOWN);
  CHECK_THROWS_WITH(papers.pdf(PaperId::parse("2511.00001")), ContainsSubstring("HF_HUB_OFFLINE"));
}

TEST_CASE("Answers of another shape are errors and are not kept") {
  for (const std::string body : {"{}", "<html></html>", "[{}]", "", "[", "\"x\""}) {
    const support::TempFolder folder;
    const LoopbackServer hub(answer("200 OK", body));
    const Papers papers(options_of(folder, hub.url()));
    CHECK_THROWS_AS(papers.daily(), FormatError);
    CHECK_THROWS_AS(papers.search("x"), FormatError);
    CHECK_THROWS_AS(papers.info(kId), FormatError);
    CHECK(folder.names().empty());
  }
}

TEST_CASE("A damaged answer in the cache is asked for again") {
  const support::TempFolder folder;
  const LoopbackServer hub(&serve_hub);
  const Papers papers(options_of(folder, hub.url()));
  papers.cache().put_answer(hub.url("/api/papers/2511.00002"), "{\"id\": \"2511");
  CHECK(papers.info(kId).title == "LLM agents");
}

TEST_CASE("Papers need a cache folder, and progress may stop them") {
  CHECK_THROWS_AS(Papers(PapersOptions{}), ArgumentError);
  const support::TempFolder folder;
  const LoopbackServer hub([](const Received&, Connection& client) { client.pause(600); });
  const Papers papers(options_of(folder, hub.url()));
  const auto stop = [](const HttpProgress&) { throw std::runtime_error("enough"); };
  CHECK_THROWS_WITH(papers.daily({}, stop), "enough");
}

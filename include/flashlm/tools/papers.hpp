// SPDX-License-Identifier: Apache-2.0
/// papers.hpp: the hub's daily papers by topic, and what is in them: Markdown from the hub, PDF from arXiv.
#pragma once

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/text/utf8.hpp"
#include "flashlm/tools/daily_query.hpp"
#include "flashlm/tools/http.hpp"
#include "flashlm/tools/pace.hpp"
#include "flashlm/tools/paper.hpp"
#include "flashlm/tools/paper_cache.hpp"
#include "flashlm/tools/paper_id.hpp"
#include "flashlm/tools/papers_options.hpp"
#include "flashlm/tools/topic.hpp"
#include "flashlm/tools/url.hpp"

namespace flashlm::inline v0::tools {

/// Finds and fetches papers. Everything that comes is kept in the cache, and found there when `offline` is set.
///
/// All calls throw IoError (HttpError for a status) if the network fails or if the cache has not what is asked for
/// offline, FormatError for an answer of another shape, and what `progress` throws. Thread-safe, also between
/// processes that share a cache.
class Papers {
 public:
  using Fetch = std::function<HttpResponse(const HttpRequest&, const HttpOptions&)>;
  using Progress = std::function<void(const HttpProgress&)>;

  /// `fetch` stands in for the web in tests.
  explicit Papers(PapersOptions options = PapersOptions::from_environment(), Fetch fetch = &http_get)
      : options_(std::move(options)), fetch_(std::move(fetch)), cache_(options_.cache) {
    if (options_.cache.empty()) throw ArgumentError("[papers] cache: expected a folder, got none");
  }

  const PapersOptions& options() const noexcept { return options_; }
  const PaperCache& cache() const noexcept { return cache_; }

  /// The top daily papers, as the query says. Fewer than asked for, or none, if there are no more.
  ///
  /// Papers that have the topic in their title or keywords come before those that only mention it in their summary;
  /// within each group the query's order counts. With `days` above 1 a later day comes before an earlier one, and no
  /// more days are asked for than it takes.
  std::vector<Paper> daily(const DailyQuery& query = {}, const Progress& progress = {}) const {
    query.check();
    const std::optional<Topic> topic = query.topic.empty() ? std::nullopt : std::optional<Topic>(query.topic);
    std::vector<Paper> result;
    std::unordered_set<std::string> seen;
    DailyQuery day = query;
    for (int n = 0; n < query.days && result.size() < query.top; ++n) {
      const std::vector<Paper> list = list_of(day, n > 0, progress);
      append_ranked(list, query.order, topic, seen, result);
      if (n + 1 == query.days) break;
      if (day.date.empty()) day.date = day_of(list);
      day.date = day_before(day.date);
    }
    if (result.size() > query.top) result.resize(query.top);
    return result;
  }

  /// What the hub's search finds among all papers, in its order. `query` has 1 to 250 bytes, `limit` is 1 to 120.
  std::vector<Paper> search(const std::string& query, int limit = 10, const Progress& progress = {}) const {
    if (query.empty() || query.size() > 250) {
      throw ArgumentError(concat("[papers] query: expected 1 to 250 bytes, got ", query.size()));
    }
    if (limit < 1 || limit > 120) throw ArgumentError(concat("[papers] limit: expected 1 to 120, got ", limit));
    const std::string url = concat(options_.hub, "/api/papers/search?q=", percent_encode(query), "&limit=", limit);
    std::vector<Paper> papers = ask<std::vector<Paper>>(url, &parse_papers, progress);
    if (papers.size() > static_cast<std::size_t>(limit)) papers.resize(static_cast<std::size_t>(limit));
    return papers;
  }

  /// One paper. HttpError 404 if the hub does not have it.
  Paper info(const PaperId& id, const Progress& progress = {}) const {
    return ask<Paper>(options_.hub + "/api/papers/" + id.base(), &parse_paper, progress);
  }

  /// The text of a paper as the hub's Markdown; none if the hub has none. The hub has one version only.
  ///
  /// Kept for good; `refresh` asks again.
  std::optional<std::string> markdown(const PaperId& id, bool refresh = false, const Progress& progress = {}) const {
    if (!refresh || options_.offline) {
      if (std::optional<std::string> text = cache_.find_text(id)) return text;
    }
    const std::string url = options_.hub + "/papers/" + id.base() + ".md";
    try {
      const HttpResponse response = fetch_hub(url, progress);
      if (is_page(response)) wrong("Markdown", response);
      std::string text = text::utf8_lossy(response.body);
      if (text.find_first_not_of(" \t\r\n") == std::string::npos) return std::nullopt;
      cache_.put_text(id, text);
      return text;
    } catch (const HttpError& error) {
      if (error.status() == 404) return std::nullopt;
      throw;
    }
  }

  /// The PDF of a paper: a file in the cache, to be left as it is.
  ///
  /// An id without a version gets the newest that is in the cache, and arXiv's newest if there is none or with
  /// `refresh`. One request at a time goes to arXiv, and one in three seconds, over all processes with this cache.
  std::filesystem::path pdf(const PaperId& id, bool refresh = false, const Progress& progress = {}) const {
    const bool fresh = refresh && !options_.offline;
    std::optional<std::filesystem::path> found = cache_.find_pdf(id);
    if (found && !fresh) return *found;
    const std::string url = options_.arxiv + "/pdf/" + id.text();
    check_online(url);
    HttpOptions http = options_of(progress);
    Pace pace(cache_.lock_path("arxiv"), options_.arxiv_interval_seconds, http.total_seconds, [&](double seconds) {
      if (progress) progress({.waiting_seconds = seconds});
    });
    found = cache_.find_pdf(id);  // another may have fetched it in the meantime
    if (found && !fresh) return *found;
    http.max_bytes = options_.max_pdf_bytes;
    http.before_request = [&](const std::string&) { pace.turn(); };
    const HttpResponse response = fetch_({.url = url}, http);
    check_pdf(response);
    return cache_.put_pdf(id.version() == 0 ? id.with_version(version_told(id, response)) : id, response.body);
  }

 private:
  static constexpr std::size_t kPage = 100;  // the most that the hub sends at once
  static constexpr std::size_t kMostPages = 50;

  HttpOptions options_of(const Progress& progress) const {
    HttpOptions http = options_.http;
    if (progress) http.progress = progress;
    return http;
  }

  void check_online(const std::string& url) const {
    if (options_.offline) {
      throw IoError("[papers] offline (HF_HUB_OFFLINE), and not in the cache", ENETDOWN, url);
    }
  }

  HttpResponse fetch_hub(const std::string& url, const Progress& progress) const {
    check_online(url);
    return fetch_({.url = url, .headers = {}, .token = options_.token}, options_of(progress));
  }

  /// The answer to `url`, new enough from the cache or else from the hub. Only what can be read is kept.
  template <class Result>
  Result ask(const std::string& url, Result (*read)(std::string_view, std::string_view),
             const Progress& progress) const {
    const double age = options_.offline ? std::numeric_limits<double>::infinity() : options_.list_seconds;
    if (const std::optional<std::string> known = cache_.find_answer(url, age)) {
      try {
        return read(*known, url);
      } catch (const FormatError&) {
        check_online(url);  // damaged: as if it were not there
      }
    }
    const HttpResponse response = fetch_hub(url, progress);
    if (is_page(response)) wrong("JSON", response);
    Result result = read(response.body, url);
    cache_.put_answer(url, response.body);
    return result;
  }

  /// All pages of the list of a day, a week or a month. `lenient`: a day that the hub does not know, or offline the
  /// cache, is an empty one.
  std::vector<Paper> list_of(const DailyQuery& query, bool lenient, const Progress& progress) const {
    std::vector<Paper> papers;
    std::unordered_set<std::string> seen;  // a list that grows meanwhile shows papers on two pages
    for (std::size_t page = 0; page < kMostPages; ++page) {
      const std::string url =
          concat(options_.hub, "/api/daily_papers?", query.parameters(), "limit=", kPage, "&p=", page);
      std::vector<Paper> part;
      try {
        part = ask<std::vector<Paper>>(url, &parse_papers, progress);
      } catch (const IoError& error) {
        const auto* refusal = dynamic_cast<const HttpError*>(&error);
        const bool unknown = refusal != nullptr ? refusal->status() == 400 : options_.offline;
        if (!lenient || !unknown) throw;
      }
      const std::size_t before = papers.size();
      for (Paper& paper : part) {
        if (seen.insert(paper.id).second) papers.push_back(std::move(paper));
      }
      // Less than a page is the last one; so is one that says nothing new.
      if (part.size() < kPage || papers.size() == before) break;
    }
    return papers;
  }

  static void append_ranked(const std::vector<Paper>& list, DailyOrder order, const std::optional<Topic>& topic,
                            std::unordered_set<std::string>& seen, std::vector<Paper>& result) {
    std::vector<std::pair<bool, const Paper*>> ranked;  // whether the topic is only mentioned
    for (const Paper& paper : list) {
      const TopicMatch match = topic ? topic->match(paper) : TopicMatch::title;
      if (match != TopicMatch::none) ranked.emplace_back(match == TopicMatch::summary, &paper);
    }
    std::stable_sort(ranked.begin(), ranked.end(), [&](const auto& left, const auto& right) {
      if (left.first != right.first || order == DailyOrder::trend) return left.first < right.first;
      const auto key = [](const Paper& paper) { return std::tuple(-paper.upvotes, -paper.comments); };
      return key(*left.second) < key(*right.second);
    });
    for (const auto& [mentioned, paper] : ranked) {
      if (seen.insert(paper->id).second) result.push_back(*paper);
    }
  }

  /// The day of the newest list: what its papers say, or else today.
  static std::string day_of(const std::vector<Paper>& list) {
    std::string newest;
    for (const Paper& paper : list) newest = std::max(newest, paper.daily);
    return DailyQuery::is_date(newest) ? newest : today();
  }

  static bool is_page(const HttpResponse& response) {
    constexpr std::string_view kBlank = " \t\r\n\xef\xbb\xbf";
    std::string start = response.body.substr(0, 512);
    start.erase(0, std::min(start.find_first_not_of(kBlank), start.size()));
    for (char& c : start) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return start.starts_with("<!doctype html") || start.starts_with("<html") ||
           response.header("content-type").starts_with("text/html");
  }

  [[noreturn]] static void wrong(std::string_view expected, const HttpResponse& response) {
    const std::string type = response.header("content-type").substr(0, 80);
    throw FormatError(concat("[papers] answer: expected ", expected, ", got ",
                             is_page(response) ? "a web page" : "something else", type.empty() ? "" : " (", type,
                             type.empty() ? "" : ")", " (", response.url, ")"));
  }

  static void check_pdf(const HttpResponse& response) {
    const std::string_view body = response.body;
    if (body.substr(0, 1024).find("%PDF-") == std::string_view::npos) wrong("a PDF", response);
    if (body.substr(body.size() - std::min<std::size_t>(body.size(), 4096)).find("%%EOF") == std::string_view::npos) {
      throw FormatError(concat("[papers] PDF: expected an end, got ", body.size(), " bytes without one (", response.url,
                               "). Was it cut short?"));
    }
  }

  /// The version that arXiv names in the file name or the address that it redirected to; 0 if it does not.
  static int version_told(const PaperId& id, const HttpResponse& response) {
    const std::string name = id.base().substr(id.base().find('/') + 1) + "v";
    for (const std::string& text : {response.header("content-disposition"), response.url}) {
      const std::size_t at = text.rfind(name);
      if (at == std::string::npos) continue;
      int version = 0;
      const char* begin = text.data() + at + name.size();
      const auto [end, problem] = std::from_chars(begin, text.data() + text.size(), version);
      if (problem == std::errc() && version > 0 && version < 1000) return version;
    }
    return 0;
  }

  PapersOptions options_;
  Fetch fetch_;
  PaperCache cache_;
};

}  // namespace flashlm::inline v0::tools

// SPDX-License-Identifier: Apache-2.0
/// papers.ipp: the bodies of papers.hpp.
#pragma once

#include "flashlm/tools/papers/papers.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <tuple>
#include <utility>

#include "flashlm/text/unicode/utf8.hpp"
#include "flashlm/tools/http/pace.hpp"
#include "flashlm/tools/http/url.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE Papers::Papers(PapersOptions options, Fetch fetch)
    : options_(std::move(options)), fetch_(std::move(fetch)), cache_(options_.cache) {
  if (options_.cache.empty()) throw ArgumentError("[papers] cache: expected a folder, got none");
}

FLASHLM_INLINE std::vector<Paper> Papers::daily(const DailyQuery& query,
                                                const Progress& progress) const {
  query.check();
  const std::optional<Topic> topic =
      query.topic.empty() ? std::nullopt : std::optional<Topic>(query.topic);
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

FLASHLM_INLINE std::vector<Paper> Papers::search(const std::string& query, int limit,
                                                 const Progress& progress) const {
  if (query.empty() || query.size() > 250) {
    throw ArgumentError(concat("[papers] query: expected 1 to 250 bytes, got ", query.size()));
  }
  if (limit < 1 || limit > 120)
    throw ArgumentError(concat("[papers] limit: expected 1 to 120, got ", limit));
  const std::string url =
      concat(options_.hub, "/api/papers/search?q=", percent_encode(query), "&limit=", limit);
  std::vector<Paper> papers = ask<std::vector<Paper>>(url, &parse_papers, progress);
  if (papers.size() > static_cast<std::size_t>(limit))
    papers.resize(static_cast<std::size_t>(limit));
  return papers;
}

FLASHLM_INLINE Paper Papers::info(const PaperId& id, const Progress& progress) const {
  return ask<Paper>(options_.hub + "/api/papers/" + id.base(), &parse_paper, progress);
}

FLASHLM_INLINE std::optional<std::string> Papers::markdown(const PaperId& id, bool refresh,
                                                           const Progress& progress) const {
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

FLASHLM_INLINE std::filesystem::path Papers::pdf(const PaperId& id, bool refresh,
                                                 const Progress& progress) const {
  const bool fresh = refresh && !options_.offline;
  std::optional<std::filesystem::path> found = cache_.find_pdf(id);
  if (found && !fresh) return *found;
  const std::string url = options_.arxiv + "/pdf/" + id.text();
  check_online(url);
  HttpOptions http = options_of(progress);
  Pace pace(cache_.lock_path("arxiv"), options_.arxiv_interval_seconds, http.total_seconds,
            [&](double seconds) {
              if (progress) progress({.waiting_seconds = seconds});
            });
  found = cache_.find_pdf(id);  // another may have fetched it in the meantime
  if (found && !fresh) return *found;
  http.max_bytes = options_.max_pdf_bytes;
  http.before_request = [&](const std::string&) { pace.turn(); };
  const HttpResponse response = fetch_({.url = url}, http);
  check_pdf(response);
  return cache_.put_pdf(id.version() == 0 ? id.with_version(version_told(id, response)) : id,
                        response.body);
}

FLASHLM_INLINE HttpOptions Papers::options_of(const Progress& progress) const {
  HttpOptions http = options_.http;
  if (progress) http.progress = progress;
  return http;
}

FLASHLM_INLINE void Papers::check_online(const std::string& url) const {
  if (options_.offline) {
    throw IoError("[papers] offline (HF_HUB_OFFLINE), and not in the cache", ENETDOWN, url);
  }
}

FLASHLM_INLINE HttpResponse Papers::fetch_hub(const std::string& url,
                                              const Progress& progress) const {
  check_online(url);
  return fetch_({.url = url, .headers = {}, .token = options_.token}, options_of(progress));
}

FLASHLM_INLINE std::vector<Paper> Papers::list_of(const DailyQuery& query, bool lenient,
                                                  const Progress& progress) const {
  std::vector<Paper> papers;
  std::unordered_set<std::string> seen;  // a list that grows meanwhile shows papers on two pages
  for (std::size_t page = 0; page < kMostPages; ++page) {
    const std::string url = concat(options_.hub, "/api/daily_papers?", query.parameters(),
                                   "limit=", kPage, "&p=", page);
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

FLASHLM_INLINE void Papers::append_ranked(const std::vector<Paper>& list, DailyOrder order,
                                          const std::optional<Topic>& topic,
                                          std::unordered_set<std::string>& seen,
                                          std::vector<Paper>& result) {
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

FLASHLM_INLINE std::string Papers::day_of(const std::vector<Paper>& list) {
  std::string newest;
  for (const Paper& paper : list) newest = std::max(newest, paper.daily);
  return DailyQuery::is_date(newest) ? newest : today();
}

FLASHLM_INLINE bool Papers::is_page(const HttpResponse& response) {
  constexpr std::string_view kBlank = " \t\r\n\xef\xbb\xbf";
  std::string start = response.body.substr(0, 512);
  start.erase(0, std::min(start.find_first_not_of(kBlank), start.size()));
  for (char& c : start) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return start.starts_with("<!doctype html") || start.starts_with("<html") ||
         response.header("content-type").starts_with("text/html");
}

FLASHLM_INLINE void Papers::wrong(std::string_view expected, const HttpResponse& response) {
  const std::string type = response.header("content-type").substr(0, 80);
  throw FormatError(concat("[papers] answer: expected ", expected, ", got ",
                           is_page(response) ? "a web page" : "something else",
                           type.empty() ? "" : " (", type, type.empty() ? "" : ")", " (",
                           response.url, ")"));
}

FLASHLM_INLINE void Papers::check_pdf(const HttpResponse& response) {
  const std::string_view body = response.body;
  if (body.substr(0, 1024).find("%PDF-") == std::string_view::npos) wrong("a PDF", response);
  if (body.substr(body.size() - std::min<std::size_t>(body.size(), 4096)).find("%%EOF") ==
      std::string_view::npos) {
    throw FormatError(concat("[papers] PDF: expected an end, got ", body.size(),
                             " bytes without one (", response.url, "). Was it cut short?"));
  }
}

FLASHLM_INLINE int Papers::version_told(const PaperId& id, const HttpResponse& response) {
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

}  // namespace flashlm::inline FLASHLM_ABI::tools

// SPDX-License-Identifier: Apache-2.0
/// papers.hpp: the hub's daily papers by topic, and what is in them: Markdown from the hub, PDF
/// from arXiv.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/tools/http/http.hpp"
#include "flashlm/tools/papers/daily_query.hpp"
#include "flashlm/tools/papers/paper.hpp"
#include "flashlm/tools/papers/paper_cache.hpp"
#include "flashlm/tools/papers/paper_id.hpp"
#include "flashlm/tools/papers/papers_options.hpp"
#include "flashlm/tools/papers/topic.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// Finds and fetches papers. Everything that comes is kept in the cache, and found there when
/// `offline` is set.
///
/// All calls throw IoError (HttpError for a status) if the network fails or if the cache has not
/// what is asked for offline, FormatError for an answer of another shape, and what `progress`
/// throws. Thread-safe, also between processes that share a cache.
class Papers {
 public:
  using Fetch = std::function<HttpResponse(const HttpRequest&, const HttpOptions&)>;
  using Progress = std::function<void(const HttpProgress&)>;

  /// `fetch` stands in for the web in tests.
  explicit Papers(PapersOptions options = PapersOptions::from_environment(),
                  Fetch fetch = &http_get);

  const PapersOptions& options() const noexcept { return options_; }
  const PaperCache& cache() const noexcept { return cache_; }

  /// The top daily papers, as the query says. Fewer than asked for, or none, if there are no more.
  ///
  /// Papers that have the topic in their title or keywords come before those that only mention it
  /// in their summary; within each group the query's order counts. With `days` above 1 a later day
  /// comes before an earlier one, and no more days are asked for than it takes.
  std::vector<Paper> daily(const DailyQuery& query = {}, const Progress& progress = {}) const;

  /// What the hub's search finds among all papers, in its order. `query` has 1 to 250 bytes,
  /// `limit` is 1 to 120.
  std::vector<Paper> search(const std::string& query, int limit = 10,
                            const Progress& progress = {}) const;

  /// One paper. HttpError 404 if the hub does not have it.
  Paper info(const PaperId& id, const Progress& progress = {}) const;

  /// The text of a paper as the hub's Markdown; none if the hub has none. The hub has one version
  /// only.
  ///
  /// Kept for good; `refresh` asks again.
  std::optional<std::string> markdown(const PaperId& id, bool refresh = false,
                                      const Progress& progress = {}) const;

  /// The PDF of a paper: a file in the cache, to be left as it is.
  ///
  /// An id without a version gets the newest that is in the cache, and arXiv's newest if there is
  /// none or with `refresh`. One request at a time goes to arXiv, and one in three seconds, over
  /// all processes with this cache.
  std::filesystem::path pdf(const PaperId& id, bool refresh = false,
                            const Progress& progress = {}) const;

 private:
  static constexpr std::size_t kPage = 100;  // the most that the hub sends at once
  static constexpr std::size_t kMostPages = 50;

  HttpOptions options_of(const Progress& progress) const;

  void check_online(const std::string& url) const;

  HttpResponse fetch_hub(const std::string& url, const Progress& progress) const;

  /// The answer to `url`, new enough from the cache or else from the hub. Only what can be read is
  /// kept.
  template <class Result>
  Result ask(const std::string& url, Result (*read)(std::string_view, std::string_view),
             const Progress& progress) const {
    const double age =
        options_.offline ? std::numeric_limits<double>::infinity() : options_.list_seconds;
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

  /// All pages of the list of a day, a week or a month. `lenient`: a day that the hub does not
  /// know, or offline the cache, is an empty one.
  std::vector<Paper> list_of(const DailyQuery& query, bool lenient, const Progress& progress) const;

  static void append_ranked(const std::vector<Paper>& list, DailyOrder order,
                            const std::optional<Topic>& topic,
                            std::unordered_set<std::string>& seen, std::vector<Paper>& result);

  /// The day of the newest list: what its papers say, or else today.
  static std::string day_of(const std::vector<Paper>& list);

  static bool is_page(const HttpResponse& response);

  [[noreturn]] static void wrong(std::string_view expected, const HttpResponse& response);

  static void check_pdf(const HttpResponse& response);

  /// The version that arXiv names in the file name or the address that it redirected to; 0 if it
  /// does not.
  static int version_told(const PaperId& id, const HttpResponse& response);

  PapersOptions options_;
  Fetch fetch_;
  PaperCache cache_;
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/papers/papers.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// http.ipp: the bodies of http.hpp.
#pragma once

#include "flashlm/tools/http/http.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/text/unicode/utf8.hpp"
#include "flashlm/tools/http/http_transfer.hpp"
#include "flashlm/tools/http/url.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

namespace detail {

/// One fetch: its tries, and the time that it has used.
class HttpFetch {
 public:
  HttpFetch(const HttpRequest& request, const HttpOptions& options)
      : request_(request), options_(options) {}

  HttpResponse run() {
    const Url first = Url::parse(request_.url);
    double backoff = options_.backoff_seconds;
    for (attempt_ = 1;; ++attempt_, backoff *= 2) {
      try {
        return follow(first);
      } catch (const IoError& error) {
        // One fetch is at most max_tries of them; a wait must be worth it: there has to be time
        // left after it.
        const double wait = std::max(backoff, retry_after_);
        if (!transient_ || attempt_ >= options_.max_tries || wait >= seconds_left()) throw;
        if (wait > options_.longest_wait_seconds) throw;
        sleep(wait);
      }
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  double seconds_left() const {
    return options_.total_seconds - std::chrono::duration<double>(Clock::now() - start_).count();
  }

  /// One try, with all redirections. Sets `transient_` and `retry_after_` for a failure.
  HttpResponse follow(Url url) {
    const Url first = url;
    for (int redirects = 0;; ++redirects) {
      transient_ = false;
      retry_after_ = 0;
      if (options_.before_request) options_.before_request(url.text());
      if (seconds_left() <= 0) {
        throw IoError(
            concat("[http] time: expected at most ", options_.total_seconds, " s, got more"),
            ETIMEDOUT, url.text());
      }
      HttpTransfer transfer(options_, attempt_);
      try {
        transfer.run(url, request_, url.has_origin_of(first), seconds_left());
      } catch (const IoError&) {
        transient_ = transfer.transient();
        throw;
      }
      const HttpResponse& response = transfer.response;
      if (response.status >= 200 && response.status < 300) return std::move(transfer.response);
      if (transfer.location.empty()) {
        retry_after_ = transfer.retry_after;
        refuse(response);
      }
      if (redirects >= options_.max_redirects) {
        throw IoError(
            concat("[http] redirections: expected at most ", options_.max_redirects, ", got more"),
            ELOOP, url.text());
      }
      url = url.redirected(transfer.location);
    }
  }

  [[noreturn]] void refuse(const HttpResponse& response) {
    const int status = response.status;
    transient_ = status == 408 || status == 429 || status == 500 || status == 502 ||
                 status == 503 || status == 504;
    std::string message = concat("[http] status: expected 200, got ", status);
    if (retry_after_ > 0) message += concat(" and a wait of ", retry_after_, " s");
    const std::string said = words_of(response);
    if (!said.empty()) message += " \"" + said + "\"";
    throw HttpError(message, status, response.url);
  }

  /// What the server says about an error, in one short line, if it is meant for people.
  static std::string words_of(const HttpResponse& response) {
    constexpr std::size_t kLongest = 200;
    const std::string type = response.header("content-type");
    std::string text = response.header("x-error-message");
    if (text.empty() && (type.starts_with("application/json") || type.starts_with("text/plain")))
      text = response.body;
    for (char& c : text) c = static_cast<unsigned char>(c) < ' ' || c == 127 ? ' ' : c;
    if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
    return text::utf8_lossy(text);
  }

  /// Waits in short naps, so that the progress callback can end it.
  void sleep(double seconds) const {
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    for (double left = seconds; left > 0;
         left = std::chrono::duration<double>(end - Clock::now()).count()) {
      if (options_.progress) options_.progress({0, 0, attempt_, left});
      std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, 0.1)));
    }
  }

  const HttpRequest& request_;
  const HttpOptions& options_;
  Clock::time_point start_ = Clock::now();
  int attempt_ = 1;
  bool transient_ = false;
  double retry_after_ = 0;
};

}  // namespace detail

FLASHLM_INLINE HttpResponse http_get(const HttpRequest& request, const HttpOptions& options) {
  return detail::HttpFetch(request, options).run();
}

}  // namespace flashlm::inline FLASHLM_ABI::tools

// SPDX-License-Identifier: Apache-2.0
/// http_transfer.hpp: one request to a web server and its answer, by libcurl, within limits of size
/// and time.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>

#include <curl/curl.h>

#include "flashlm/tools/http/http_message.hpp"
#include "flashlm/tools/http/url.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// One request and its answer: no redirection is followed, nothing is tried twice. To be used once.
///
/// Not thread-safe; several of them may run at once.
class HttpTransfer {
 public:
  /// `options` must outlive the transfer; `attempt` is what its progress callback is told.
  explicit HttpTransfer(const HttpOptions& options, int attempt = 1)
      : options_(options), attempt_(attempt) {}
  explicit HttpTransfer(HttpOptions&& options, int attempt = 1) = delete;
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  HttpResponse response;   // of any status
  std::string location;    // of a redirection
  double retry_after = 0;  // seconds that the server asks for

  /// Fetches `url`, which stands in for that of the request after redirections.
  ///
  /// Throws what the progress callback throws; ArgumentError for a header with control characters;
  /// IoError, with `transient()` set if another try may help. A status of any kind is no error
  /// here.
  void run(const Url& url, const HttpRequest& request, bool with_token, double seconds_left);

  /// Whether `run` failed in a way that may pass.
  bool transient() const noexcept { return transient_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kLongestHead = std::size_t{256} << 10;
  static constexpr std::size_t kLongestRefusal = std::size_t{64}
                                                 << 10;  // of a body that only explains an error

  using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

  static Headers headers_of(const HttpRequest& request, bool with_token);

  void prepare(CURL* handle, const Url& url, curl_slist* headers, double seconds_left);

  /// Turns libcurl's verdict into an error, unless it is a good one.
  void check(CURLcode code, const Url& url);

  double silence() const {
    return std::chrono::duration<double>(Clock::now() - last_byte_).count();
  }

  /// The hub says in `RateLimit: "api";r=0;t=123` when its window ends.
  double hub_wait() const;

  static std::size_t on_header(char* data, std::size_t, std::size_t length, void* self) noexcept;

  static std::size_t on_body(char* data, std::size_t, std::size_t length, void* self) noexcept;

  static int on_progress(void* self, curl_off_t total, curl_off_t, curl_off_t, curl_off_t) noexcept;

  /// `length` if `step(*this)` says to go on. An exception may not pass through libcurl, so it is
  /// kept.
  template <class Step>
  std::size_t guard(std::size_t length, Step&& step) noexcept {
    try {
      return step(*this) ? length : length == 0 ? 1 : 0;
    } catch (...) {
      stopped_ = std::current_exception();
      return length == 0 ? 1 : 0;
    }
  }

  const HttpOptions& options_;
  int attempt_;
  CURL* handle_ = nullptr;
  char reason_[CURL_ERROR_SIZE] = {};
  std::exception_ptr stopped_;
  Clock::time_point last_byte_;
  std::size_t head_bytes_ = 0;
  bool too_large_ = false;
  bool long_head_ = false;
  bool stalled_ = false;
  bool transient_ = false;
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/http/http_transfer.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// http_message.hpp: what is asked of the web, within which limits, and what comes back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// What to fetch.
struct HttpRequest {
  std::string url;                               // https, or http to this machine
  std::map<std::string, std::string> headers{};  // sent to every host that a redirection leads to
  std::string token{};  // sent as a bearer token, to the scheme, host and port of `url` only
};

/// How far a fetch has come.
struct HttpProgress {
  std::uint64_t done = 0;      // bytes of the body, after decompression
  std::uint64_t total = 0;     // bytes that the server announced; 0 if it did not
  int attempt = 1;             // counts tries
  double waiting_seconds = 0;  // what is left of the wait before the next try
};

/// Limits of one fetch.
struct HttpOptions {
  std::uint64_t max_bytes = std::uint64_t{64} << 20;  // of the body, after decompression
  double connect_seconds = 10;
  double stall_seconds = 30;   // without a byte
  double total_seconds = 600;  // with all redirections, tries and waits
  int max_redirects = 5;
  int max_tries = 4;                 // of a server that is busy and a connection that breaks
  double backoff_seconds = 1;        // before the second try; doubles for each further one
  double longest_wait_seconds = 90;  // a server that asks for more gets no further try
  std::string user_agent = "flashlm/" FLASHLM_VERSION;
  /// Called while waiting for the network and between tries; what it throws ends the fetch and
  /// reaches the caller.
  std::function<void(const HttpProgress&)> progress{};
  /// Called before every single request, with its address: a place to keep to a server's pace.
  std::function<void(const std::string& url)> before_request{};
};

/// What came.
struct HttpResponse {
  int status = 0;                                // 200 to 299
  std::string url;                               // after redirections
  std::map<std::string, std::string> headers{};  // names in small letters; of several the last
  std::string body{};

  /// A header, or "".
  std::string header(const std::string& name) const;
};

/// A server's answer that is not what was asked for; `path()` is the address.
class HttpError : public IoError {
 public:
  HttpError(const std::string& message, int status, const std::string& url);

  /// 404, 429, 500, ...
  int status() const noexcept { return status_; }

 private:
  static int errno_of(int status) noexcept;

  int status_;
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/http/http_message.ipp"
#endif

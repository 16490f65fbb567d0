// SPDX-License-Identifier: Apache-2.0
/// http_transfer.ipp: the bodies of http_transfer.hpp.
#pragma once

#include "flashlm/tools/http/http_transfer.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <new>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "flashlm/base/units.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE void HttpTransfer::run(const Url& url, const HttpRequest& request, bool with_token,
                                      double seconds_left) {
  static const CURLcode ready =
      curl_global_init(CURL_GLOBAL_DEFAULT);  // safe here: a static is made once
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(),
                                                                   &curl_easy_cleanup);
  if (ready != CURLE_OK || handle == nullptr) throw std::bad_alloc();
  const Headers headers = headers_of(request, with_token);
  prepare(handle.get(), url, headers.get(), seconds_left);
  last_byte_ = Clock::now();
  const CURLcode code = curl_easy_perform(handle.get());
  if (stopped_) std::rethrow_exception(stopped_);
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  response.url = url.text();
  char* target = nullptr;
  curl_easy_getinfo(handle.get(), CURLINFO_REDIRECT_URL, &target);
  if (status >= 300 && status < 400 && target != nullptr) location = response.header("location");
  curl_off_t wait = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RETRY_AFTER, &wait);
  retry_after = std::max({static_cast<double>(wait), hub_wait(), 0.0});
  const bool has_answer = status >= 300 && (code == CURLE_OK || code == CURLE_WRITE_ERROR);
  if (!has_answer) check(code, url);
}

FLASHLM_INLINE HttpTransfer::Headers HttpTransfer::headers_of(const HttpRequest& request,
                                                              bool with_token) {
  Headers list(nullptr, &curl_slist_free_all);
  const auto add = [&](const std::string& name, const std::string& value) {
    const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; };
    if (std::any_of(name.begin(), name.end(), control) ||
        std::any_of(value.begin(), value.end(), control)) {
      throw ArgumentError(concat("[http] header: expected no control characters, got some"));
    }
    curl_slist* longer = curl_slist_append(list.get(), (name + ": " + value).c_str());
    if (longer == nullptr) throw std::bad_alloc();
    list.release();  // the list begins where it began, or here for the first time
    list.reset(longer);
  };
  for (const auto& [name, value] : request.headers) add(name, value);
  if (with_token && !request.token.empty()) add("Authorization", "Bearer " + request.token);
  return list;
}

FLASHLM_INLINE void HttpTransfer::prepare(CURL* handle, const Url& url, curl_slist* headers,
                                          double seconds_left) {
  const auto milliseconds = [](double seconds) {
    return static_cast<long>(std::ceil(std::clamp(seconds, 0.001, 1e6) * 1000));
  };
  curl_easy_setopt(handle, CURLOPT_URL, url.text().c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, url.is_secure() ? "https" : "http");
#else
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS, url.is_secure() ? CURLPROTO_HTTPS : CURLPROTO_HTTP);
#endif
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  if (url.is_loopback()) curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, options_.user_agent.c_str());
  curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING,
                   "");  // all that libcurl can undo; the limit is on what comes out
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   milliseconds(std::min(options_.connect_seconds, seconds_left)));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, milliseconds(seconds_left));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &HttpTransfer::on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &HttpTransfer::on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &HttpTransfer::on_progress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, this);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, reason_);
  handle_ = handle;
}

FLASHLM_INLINE void HttpTransfer::check(CURLcode code, const Url& url) {
  if (code == CURLE_OK) return;
  const std::string reason = reason_[0] != '\0' ? reason_ : curl_easy_strerror(code);
  if (too_large_) {
    throw IoError(
        concat("[http] size: expected at most ", format_bytes(options_.max_bytes), ", got more"),
        EFBIG, url.text());
  }
  if (long_head_)
    throw IoError("[http] headers: expected at most 256 KiB, got more", EFBIG, url.text());
  transient_ = true;
  if (stalled_) {
    throw IoError(concat("[http] no byte came for ", options_.stall_seconds, " s, after ",
                         response.body.size()),
                  ETIMEDOUT, url.text());
  }
  if (code == CURLE_OPERATION_TIMEDOUT)
    throw IoError(concat("[http] too slow: ", reason), ETIMEDOUT, url.text());
  if (code == CURLE_COULDNT_CONNECT)
    throw IoError(concat("[http] no connection: ", reason), ECONNREFUSED, url.text());
  if (code == CURLE_PARTIAL_FILE || code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ||
      code == CURLE_SEND_ERROR) {
    throw IoError(concat("[http] cut short: ", reason), ECONNRESET, url.text());
  }
  transient_ = false;
  if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY) {
    throw IoError(concat("[http] no such host, or no network: ", reason), EHOSTUNREACH, url.text());
  }
  throw IoError(concat("[http] transfer failed: ", reason), EIO, url.text());
}

FLASHLM_INLINE double HttpTransfer::hub_wait() const {
  const std::string limit = response.header("ratelimit");
  const std::size_t at = limit.find(";t=");
  if (response.status != 429 || at == std::string::npos) return 0;
  double seconds = 0;
  for (std::size_t i = at + 3; i < limit.size() && limit[i] >= '0' && limit[i] <= '9'; ++i) {
    seconds = seconds * 10 + (limit[i] - '0');
  }
  return seconds;
}

FLASHLM_INLINE std::size_t HttpTransfer::on_header(char* data, std::size_t, std::size_t length,
                                                   void* self) noexcept {
  return static_cast<HttpTransfer*>(self)->guard(length, [&](HttpTransfer& transfer) {
    transfer.last_byte_ = Clock::now();
    transfer.head_bytes_ += length;
    transfer.long_head_ = transfer.head_bytes_ > kLongestHead;
    if (transfer.long_head_) return false;
    std::string_view line(data, length);
    if (line.starts_with("HTTP/")) transfer.response.headers.clear();
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return true;
    std::string name(line.substr(0, colon));
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    line.remove_prefix(colon + 1);
    constexpr std::string_view kBlank = " \t\r\n";
    const std::size_t first = line.find_first_not_of(kBlank);
    const std::size_t end = line.find_last_not_of(kBlank) + 1;
    transfer.response.headers[name] =
        first == std::string_view::npos ? "" : line.substr(first, end - first);
    return true;
  });
}

FLASHLM_INLINE std::size_t HttpTransfer::on_body(char* data, std::size_t, std::size_t length,
                                                 void* self) noexcept {
  return static_cast<HttpTransfer*>(self)->guard(length, [&](HttpTransfer& transfer) {
    transfer.last_byte_ = Clock::now();
    std::string& body = transfer.response.body;
    long status = 0;
    curl_easy_getinfo(transfer.handle_, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300 && body.size() + length > kLongestRefusal) return false;
    transfer.too_large_ = body.size() + length > transfer.options_.max_bytes;
    if (transfer.too_large_) return false;
    body.append(data, length);
    return true;
  });
}

FLASHLM_INLINE int HttpTransfer::on_progress(void* self, curl_off_t total, curl_off_t, curl_off_t,
                                             curl_off_t) noexcept {
  const std::size_t kept = static_cast<HttpTransfer*>(self)->guard(1, [&](HttpTransfer& transfer) {
    transfer.stalled_ = transfer.silence() > transfer.options_.stall_seconds;
    // An announced length is that of the compressed body.
    const bool plain = transfer.response.header("content-encoding").empty();
    const std::uint64_t announced =
        plain ? static_cast<std::uint64_t>(std::max<curl_off_t>(total, 0)) : 0;
    long status = 0;
    curl_easy_getinfo(transfer.handle_, CURLINFO_RESPONSE_CODE, &status);
    if (status < 300 && announced > transfer.options_.max_bytes) transfer.too_large_ = true;
    if (transfer.options_.progress) {
      transfer.options_.progress({transfer.response.body.size(), announced, transfer.attempt_, 0});
    }
    return !transfer.stalled_ && !transfer.too_large_;
  });
  return kept == 1 ? 0 : 1;
}

}  // namespace flashlm::inline FLASHLM_ABI::tools

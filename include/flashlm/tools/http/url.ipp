// SPDX-License-Identifier: Apache-2.0
/// url.ipp: the bodies of url.hpp.
#pragma once

#include "flashlm/tools/http/url.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    const bool letter = (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') ||
                        (code >= 'a' && code <= 'z');
    if (letter || byte == '-' || byte == '.' || byte == '_' || byte == '~') {
      result += byte;
    } else {
      result += {'%', kDigits[code >> 4], kDigits[code & 15]};
    }
  }
  return result;
}

FLASHLM_INLINE Url Url::parse(const std::string& text) {
  const Handle handle(curl_url(), &curl_url_cleanup);
  return Url(handle.get(), text, text);
}

FLASHLM_INLINE Url Url::redirected(const std::string& location) const {
  const Handle handle(curl_url(), &curl_url_cleanup);
  if (curl_url_set(handle.get(), CURLUPART_URL, text_.c_str(), 0) != CURLUE_OK)
    throw std::bad_alloc();
  try {
    Url target(handle.get(), location, location);
    if (is_secure() && !target.is_secure()) refuse("https to stay https", target.text_);
    if (!is_loopback() && target.is_loopback())
      refuse("another machine than this one", target.text_);
    return target;
  } catch (const ArgumentError& error) {
    throw IoError(concat("[url] redirection refused: ", error.what()), EPERM, text_);
  }
}

FLASHLM_INLINE bool Url::is_loopback() const noexcept {
  if (host_ == "localhost" || host_ == "[::1]") return true;
  return host_.starts_with("127.") && std::count(host_.begin(), host_.end(), '.') == 3 &&
         host_.find_first_not_of("0123456789.") == std::string::npos;
}

FLASHLM_INLINE bool Url::has_origin_of(const Url& other) const noexcept {
  return scheme_ == other.scheme_ && host_ == other.host_ && port_ == other.port_;
}

FLASHLM_INLINE Url::Url(CURLU* handle, const std::string& text, const std::string& shown) {
  if (handle == nullptr) throw std::bad_alloc();
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 127; })) {
    refuse("no blanks and no control characters", shown);
  }
  // Without a base a relative address has no scheme, which is refused.
  const CURLUcode code = curl_url_set(handle, CURLUPART_URL, text.c_str(), 0);
  if (code == CURLUE_UNSUPPORTED_SCHEME) refuse("https", shown);
  if (code != CURLUE_OK) refuse("an address such as https://host/path", shown);
  scheme_ = part(handle, CURLUPART_SCHEME);
  host_ = lower(part(handle, CURLUPART_HOST));
  port_ = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (!part(handle, CURLUPART_USER).empty() || !part(handle, CURLUPART_PASSWORD).empty()) {
    refuse("no user name and no password", scheme_ + "://...@" + host_);
  }
  curl_url_set(handle, CURLUPART_FRAGMENT, nullptr, 0);
  text_ = part(handle, CURLUPART_URL);
  if (host_.empty() || text_.empty()) refuse("an address such as https://host/path", shown);
  if (scheme_ == "https" || (scheme_ == "http" && is_loopback())) return;
  refuse(scheme_ == "http" ? "https (plain http only to this machine)" : "https", shown);
}

FLASHLM_INLINE std::string Url::part(CURLU* handle, CURLUPart what, unsigned flags) {
  char* found = nullptr;
  if (curl_url_get(handle, what, &found, flags) != CURLUE_OK || found == nullptr) return {};
  const std::unique_ptr<char, decltype(&curl_free)> owner(found, &curl_free);
  return found;
}

FLASHLM_INLINE std::string Url::lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

FLASHLM_INLINE void Url::refuse(std::string_view expected, std::string shown) {
  for (char& c : shown) c = static_cast<unsigned char>(c) < ' ' || c == 127 ? '?' : c;
  throw ArgumentError(
      concat("[url] address: expected ", expected, ", got '", shown.substr(0, 500), "'"));
}

}  // namespace flashlm::inline FLASHLM_ABI::tools

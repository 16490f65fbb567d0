// SPDX-License-Identifier: Apache-2.0
/// url.hpp: a web address that was checked, as libcurl reads it.
#pragma once

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <curl/curl.h>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::tools {

/// `text` for a place within a URL's path or query: letters, digits and `-._~` stay, every other byte becomes %XX.
inline std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    const bool letter = (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z');
    if (letter || byte == '-' || byte == '.' || byte == '_' || byte == '~') {
      result += byte;
    } else {
      result += {'%', kDigits[code >> 4], kDigits[code & 15]};
    }
  }
  return result;
}

/// An https address, or a plain http one of this machine. No other kind exists, so none can be asked for.
///
/// The same parser reads it here and when it is fetched: what was checked is what is asked. Thread-safe.
class Url {
 public:
  /// Throws ArgumentError for anything but https, http to loopback, or where it holds a user name, a blank or a control
  /// character.
  static Url parse(const std::string& text) {
    const Handle handle(curl_url(), &curl_url_cleanup);
    return Url(handle.get(), text, text);
  }

  /// Where a redirection to `location`, which may be relative, leads from here.
  ///
  /// Throws IoError with EPERM where `parse` throws, if https would become plain http, and if another machine sends to
  /// this one: a server that does so is not to be followed.
  Url redirected(const std::string& location) const {
    const Handle handle(curl_url(), &curl_url_cleanup);
    if (curl_url_set(handle.get(), CURLUPART_URL, text_.c_str(), 0) != CURLUE_OK) throw std::bad_alloc();
    try {
      Url target(handle.get(), location, location);
      if (is_secure() && !target.is_secure()) refuse("https to stay https", target.text_);
      if (!is_loopback() && target.is_loopback()) refuse("another machine than this one", target.text_);
      return target;
    } catch (const ArgumentError& error) {
      throw IoError(concat("[url] redirection refused: ", error.what()), EPERM, text_);
    }
  }

  /// The address as libcurl writes it.
  const std::string& text() const noexcept { return text_; }
  /// In small letters; an IPv6 address has its brackets.
  const std::string& host() const noexcept { return host_; }
  bool is_secure() const noexcept { return scheme_ == "https"; }

  /// Whether it is an address of this machine: localhost, 127.x.x.x or [::1], written so.
  bool is_loopback() const noexcept {
    if (host_ == "localhost" || host_ == "[::1]") return true;
    return host_.starts_with("127.") && std::count(host_.begin(), host_.end(), '.') == 3 &&
           host_.find_first_not_of("0123456789.") == std::string::npos;
  }

  /// Whether scheme, host and port are the same: only then may a secret go along.
  bool has_origin_of(const Url& other) const noexcept {
    return scheme_ == other.scheme_ && host_ == other.host_ && port_ == other.port_;
  }

 private:
  using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

  Url(CURLU* handle, const std::string& text, const std::string& shown) {
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

  static std::string part(CURLU* handle, CURLUPart what, unsigned flags = 0) {
    char* found = nullptr;
    if (curl_url_get(handle, what, &found, flags) != CURLUE_OK || found == nullptr) return {};
    const std::unique_ptr<char, decltype(&curl_free)> owner(found, &curl_free);
    return found;
  }

  static std::string lower(std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
  }

  [[noreturn]] static void refuse(std::string_view expected, std::string shown) {
    for (char& c : shown) c = static_cast<unsigned char>(c) < ' ' || c == 127 ? '?' : c;
    throw ArgumentError(concat("[url] address: expected ", expected, ", got '", shown.substr(0, 500), "'"));
  }

  std::string text_;
  std::string scheme_;
  std::string host_;
  std::string port_;
};

}  // namespace flashlm::inline v0::tools

// SPDX-License-Identifier: Apache-2.0
/// url.hpp: a web address that was checked, as libcurl reads it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <curl/curl.h>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// `text` for a place within a URL's path or query: letters, digits and `-._~` stay, every other
/// byte becomes %XX.
std::string percent_encode(std::string_view text);

/// An https address, or a plain http one of this machine. No other kind exists, so none can be
/// asked for.
///
/// The same parser reads it here and when it is fetched: what was checked is what is asked.
/// Thread-safe.
class Url {
 public:
  /// Throws ArgumentError for anything but https, http to loopback, or where it holds a user name,
  /// a blank or a control character.
  static Url parse(const std::string& text);

  /// Where a redirection to `location`, which may be relative, leads from here.
  ///
  /// Throws IoError with EPERM where `parse` throws, if https would become plain http, and if
  /// another machine sends to this one: a server that does so is not to be followed.
  Url redirected(const std::string& location) const;

  /// The address as libcurl writes it.
  const std::string& text() const noexcept { return text_; }
  /// In small letters; an IPv6 address has its brackets.
  const std::string& host() const noexcept { return host_; }
  bool is_secure() const noexcept { return scheme_ == "https"; }

  /// Whether it is an address of this machine: localhost, 127.x.x.x or [::1], written so.
  bool is_loopback() const noexcept;

  /// Whether scheme, host and port are the same: only then may a secret go along.
  bool has_origin_of(const Url& other) const noexcept;

 private:
  using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

  Url(CURLU* handle, const std::string& text, const std::string& shown);

  static std::string part(CURLU* handle, CURLUPart what, unsigned flags = 0);

  static std::string lower(std::string text);

  [[noreturn]] static void refuse(std::string_view expected, std::string shown);

  std::string text_;
  std::string scheme_;
  std::string host_;
  std::string port_;
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/http/url.ipp"
#endif

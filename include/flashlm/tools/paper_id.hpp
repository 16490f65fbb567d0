// SPDX-License-Identifier: Apache-2.0
/// paper_id.hpp: the name of a paper on arXiv, checked before it becomes part of a path or an address.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::tools {

/// "2312.11514", "2312.11514v2", "hep-th/9901001" or "math.GT/0309136v1": letters, digits, '.', '-' and one '/'.
///
/// Thread-safe.
class PaperId {
 public:
  /// Reads an id, also with "arXiv:" before it, and the address of its page at arXiv or at the hub.
  ///
  /// Throws ArgumentError for anything else.
  static PaperId parse(std::string_view text) {
    const std::string_view whole = text;
    constexpr std::string_view kBlank = " \t\r\n";
    text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
    text = text.substr(0, text.find_last_not_of(kBlank) + 1);
    for (const char* scheme : {"https://", "http://"}) drop(text, scheme);
    drop(text, "www.");
    for (const char* place : {"arxiv.org/abs/", "arxiv.org/pdf/", "arxiv.org/html/", "export.arxiv.org/abs/",
                              "export.arxiv.org/pdf/", "huggingface.co/papers/", "hf.co/papers/", "arxiv:", "arXiv:"}) {
      if (drop(text, place)) break;
    }
    for (const std::string_view end : {".pdf", ".md"}) {
      if (text.ends_with(end)) text.remove_suffix(end.size());
    }
    PaperId id;
    if (id.read(text)) return id;
    throw ArgumentError(
        concat("[papers] id: expected an arXiv id such as 2312.11514, 2312.11514v2 or hep-th/9901001, got '",
               shown(whole), "'"));
  }

  /// Without the version.
  const std::string& base() const noexcept { return base_; }

  /// 1, 2, ...; 0 stands for the newest.
  int version() const noexcept { return version_; }

  /// As arXiv writes it.
  std::string text() const { return version_ == 0 ? base_ : base_ + "v" + std::to_string(version_); }

  /// `base()` as a file name. Different ids have different ones, none begins with a dot.
  std::string stem() const {
    std::string name = base_;
    for (char& c : name) c = c == '/' ? '_' : c;
    return name;
  }

  PaperId with_version(int version) const {
    PaperId id = *this;
    id.version_ = version;
    return id;
  }

  bool operator==(const PaperId&) const = default;

 private:
  PaperId() = default;

  static constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
  static constexpr bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
  static constexpr bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }

  static bool drop(std::string_view& text, std::string_view start) {
    if (!text.starts_with(start)) return false;
    text.remove_prefix(start.size());
    return true;
  }

  /// How many characters at the beginning are of the kind, at most `most`.
  template <class Kind>
  static std::size_t run(std::string_view text, Kind kind, std::size_t most = 64) {
    std::size_t n = 0;
    while (n < text.size() && n < most && kind(text[n])) ++n;
    return n;
  }

  bool read(std::string_view text) {
    std::string_view rest = text;
    if (run(rest, is_digit, 5) == 4 && rest.substr(4).starts_with('.')) {  // 0704.0001 to 1412.9999, then five digits
      rest.remove_prefix(5);
      const std::size_t n = run(rest, is_digit, 6);
      if (n != 4 && n != 5) return false;
      rest.remove_prefix(n);
    } else {  // archive.XX/YYMMNNN
      const std::size_t n = run(rest, [](char c) { return is_lower(c) || c == '-'; }, 16);
      if (n < 2 || !is_lower(rest[0])) return false;
      rest.remove_prefix(n);
      if (rest.size() > 3 && rest[0] == '.' && is_upper(rest[1]) && is_upper(rest[2])) rest.remove_prefix(3);
      if (!drop(rest, "/") || run(rest, is_digit, 8) != 7) return false;
      rest.remove_prefix(7);
    }
    base_ = text.substr(0, text.size() - rest.size());
    if (rest.empty()) return true;
    if (!drop(rest, "v")) return false;
    const std::size_t n = run(rest, is_digit, 4);
    if (n == 0 || n > 3 || n != rest.size() || rest[0] == '0') return false;
    for (const char c : rest) version_ = version_ * 10 + (c - '0');
    return true;
  }

  static std::string shown(std::string_view text) {
    std::string safe(text.substr(0, 100));
    for (char& c : safe) c = c < ' ' || c > '~' ? '?' : c;
    return safe;
  }

  std::string base_;
  int version_ = 0;
};

}  // namespace flashlm::inline v0::tools

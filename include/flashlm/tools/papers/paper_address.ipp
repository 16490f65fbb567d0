// SPDX-License-Identifier: Apache-2.0
/// paper_address.ipp: the bodies of paper_address.hpp.
#pragma once

#include "flashlm/tools/papers/paper_address.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <utility>

namespace flashlm::inline FLASHLM_ABI::tools {

namespace detail {

/// Takes an arXiv id out of its surroundings. What it takes may still be none; nothing here is
/// trusted.
class PaperAddress {
 public:
  explicit PaperAddress(std::string_view text) : rest_(text) {}

  std::string id() {
    strip();
    follow_link();
    std::string id;
    if (is_address()) {
      if (!read_address(id)) return {};
    } else {
      drop_names();
      drop("10.48550/arxiv.");
      drop_category();
      id = rest_;
    }
    for (const std::string_view end : {".pdf", ".md"}) {
      if (ends_with(id, end)) id.resize(id.size() - end.size());
    }
    return id;
  }

 private:
  static constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }

  /// Small letters in `start`; case does not count in `text`.
  static bool starts_with(std::string_view text, std::string_view start) {
    return text.size() >= start.size() && std::equal(start.begin(), start.end(), text.begin(),
                                                     [](char a, char b) { return a == lower(b); });
  }
  static bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && starts_with(text.substr(text.size() - end.size()), end);
  }

  bool drop(std::string_view start) {
    if (!starts_with(rest_, start)) return false;
    rest_.remove_prefix(start.size());
    return true;
  }

  /// Takes away blanks, quotes, brackets and marks of Markdown on both sides, and a sentence's end.
  void strip() {
    constexpr std::array<std::string_view, 31> kBoth{
        " ",
        "\t",
        "\r",
        "\n",
        "`",
        "'",
        "\"",
        "*",
        "_",
        "~",
        "<",
        ">",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\xc2\xa0",      // no-break space
        "\xe2\x80\x9c",  // double quotation marks, left and right
        "\xe2\x80\x9d",
        "\xe2\x80\x98",  // single ones
        "\xe2\x80\x99",
        "\xe2\x80\x9e",  // a low one
        "\xc2\xab",      // guillemets
        "\xc2\xbb",
        "\xef\xbc\x88",  // wide brackets
        "\xef\xbc\x89",
        "\xe2\x80\x8b",  // spaces of no width
        "\xef\xbb\xbf",
        "\xe3\x80\x80",  // a wide space
    };
    constexpr std::array<std::string_view, 8> kEnds{
        ",", ";", ":", "!", "?", ".", "\xe3\x80\x82", "\xef\xbc\x8c"};
    const auto drop_one = [&](std::string_view part, bool first) {
      if (!(first ? rest_.starts_with(part) : rest_.ends_with(part))) return false;
      if (part == "." && (rest_.ends_with("..") || rest_.ends_with("/.")))
        return false;  // of a path
      first ? rest_.remove_prefix(part.size()) : rest_.remove_suffix(part.size());
      return true;
    };
    const auto front = [&](std::string_view part) { return drop_one(part, true); };
    const auto back = [&](std::string_view part) { return drop_one(part, false); };
    while (std::any_of(kBoth.begin(), kBoth.end(), front)) continue;
    // A link of Markdown ends with its bracket; what stands in it is stripped by itself.
    while (std::any_of(kBoth.begin(), kBoth.end(), back) ||
           std::any_of(kEnds.begin(), kEnds.end(), back))
      continue;
  }

  /// Of `[title](address "words")`, whose outer brackets are gone, the address.
  void follow_link() {
    const std::size_t at = rest_.rfind("](");
    if (at == std::string_view::npos) return;
    rest_.remove_prefix(at + 2);
    strip();
    rest_ = rest_.substr(0, rest_.find_first_of(" \t\r\n"));
    strip();
  }

  bool is_address() const {
    const std::string_view start = rest_.substr(0, rest_.find('/'));
    return rest_.find("://") != std::string_view::npos || rest_.starts_with("//") ||
           (start.size() < rest_.size() && kind_of(start) != Host::none);
  }

  enum class Host { none, arxiv, alphaxiv, hub, doi };

  /// `host` with or without a port.
  static Host kind_of(std::string_view host) {
    constexpr std::array<std::pair<std::string_view, Host>, 6> kHosts{
        {{"arxiv.org", Host::arxiv},
         {"ar5iv.org", Host::arxiv},
         {"alphaxiv.org", Host::alphaxiv},
         {"huggingface.co", Host::hub},
         {"hf.co", Host::hub},
         {"doi.org", Host::doi}}};
    for (const std::string_view port : {":443", ":80"}) {
      if (host.ends_with(port)) host.remove_suffix(port.size());
    }
    for (const auto& [name, kind] : kHosts) {
      const bool is_whole = host.size() == name.size();
      if (ends_with(host, name) && (is_whole || host[host.size() - name.size() - 1] == '.'))
        return kind;
    }
    return Host::none;
  }

  /// The id in an address; false if it is of no page of a paper.
  bool read_address(std::string& id) {
    if (!drop("https://") && !drop("http://")) drop("//");
    rest_ = rest_.substr(0, rest_.find_first_of("?#"));
    const std::size_t slash = rest_.find('/');
    if (slash == std::string_view::npos) return false;
    const Host host = kind_of(rest_.substr(0, slash));
    const std::string path = decoded(rest_.substr(slash + 1));
    rest_ = path;
    while (rest_.ends_with('/')) rest_.remove_suffix(1);
    bool known = false;
    switch (host) {
      case Host::none: break;
      case Host::arxiv:
        known = drop_one_of({"abs/", "pdf/", "html/", "format/", "ps/", "src/", "e-print/", "tb/"});
        break;
      case Host::alphaxiv:
        if (rest_.find('/') == 2) rest_.remove_prefix(3);  // a language: zh/overview/2312.11514
        known = drop_one_of({"abs/", "pdf/", "html/", "overview/", "resources/", "audio/"});
        break;
      case Host::hub: known = drop_one_of({"papers/", "api/papers/"}); break;
      case Host::doi: known = drop_one_of({"10.48550/arxiv."}); break;
    }
    drop("arxiv:");
    id = rest_;
    return known;
  }

  bool drop_one_of(std::initializer_list<std::string_view> places) {
    return std::any_of(places.begin(), places.end(),
                       [&](std::string_view place) { return drop(place); });
  }

  /// A path without %XX; what is broken stays.
  static std::string decoded(std::string_view text) {
    const auto digit = [](char c) {
      if (c >= '0' && c <= '9') return c - '0';
      return lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
    };
    std::string path;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '%' && at + 2 < text.size() && digit(text[at + 1]) >= 0 &&
          digit(text[at + 2]) >= 0) {
        path += static_cast<char>(16 * digit(text[at + 1]) + digit(text[at + 2]));
        at += 2;
      } else {
        path += text[at];
      }
    }
    return path;
  }

  /// "arXiv:", "arXiv: ", "arXiv preprint arXiv:", "doi:".
  void drop_names() {
    while (drop_one_of({"arxiv:", "arxiv ", "arxiv.", "preprint ", "doi:", "doi ", "e-print "})) {
      while (!rest_.empty() &&
             (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\n' || rest_[0] == '\r')) {
        rest_.remove_prefix(1);
      }
    }
  }

  /// arXiv's own stamp goes on: "2312.11514v3 [cs.CL] 30 Jul 2024".
  void drop_category() {
    const std::size_t at = rest_.find(" [");
    if (at == std::string_view::npos) return;
    const std::string_view after = rest_.substr(at + 2);
    const bool plain = std::all_of(after.begin(), after.end(), [](char c) {
      return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
             c == '-' || c == ' ' || c == ']';
    });
    if (plain && after.size() <= 40) rest_ = rest_.substr(0, at);
  }

  std::string_view rest_;
};

}  // namespace detail

FLASHLM_INLINE std::string id_written_in(std::string_view text) {
  return detail::PaperAddress(text).id();
}

}  // namespace flashlm::inline FLASHLM_ABI::tools

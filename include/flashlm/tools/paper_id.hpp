// SPDX-License-Identifier: Apache-2.0
/// paper_id.hpp: the name of a paper on arXiv, checked before it becomes part of a path or an address.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "flashlm/tools/paper_address.hpp"

namespace flashlm::inline v0::tools {

/// "2312.11514", "2312.11514v2", "hep-th/9901001" or "math.GT/0309136v1": letters, digits, '.', '-'
/// and one '/'.
///
/// Thread-safe.
class PaperId {
 public:
  /// Reads an id as people write it (`id_written_in`): with "arXiv:" before it, in quotes or
  /// brackets, as a DOI, or as the address of the paper's page.
  ///
  /// Throws ArgumentError for anything else, and for an id that arXiv cannot have given: its months
  /// are 01 to 12, 9107 to 0703 for hep-th/9901001, from 0704 on for 0704.0001, and with five
  /// digits from 1501 on.
  static PaperId parse(std::string_view text) {
    std::string why;
    PaperId id;
    if (id.read(id_written_in(text), why)) return id;
    throw ArgumentError(
        concat("[papers] id: expected an arXiv id such as 2312.11514, 2312.11514v2 or hep-th/9901001, got '",
               shown(text), "'", why.empty() ? "" : ". ", why));
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

  /// How many characters at the beginning are of the kind, at most `most`.
  template <class Kind>
  static std::size_t run(std::string_view text, Kind kind, std::size_t most = 64) {
    std::size_t n = 0;
    while (n < text.size() && n < most && kind(text[n])) ++n;
    return n;
  }

  /// `why` gets the reason if the form is right and such an id cannot exist.
  bool read(std::string_view text, std::string& why) {
    std::string_view rest = text;
    const bool is_new = run(rest, is_digit, 5) == 4 && rest.substr(4).starts_with('.');
    if (!(is_new ? read_new(rest, why) : read_old(rest, why))) return false;
    base_ = text.substr(0, text.size() - rest.size());
    if (rest.empty()) return true;
    if (rest[0] != 'v' && rest[0] != 'V') return false;
    rest.remove_prefix(1);
    const std::size_t n = run(rest, is_digit, 4);
    if (n == 0 || n > 3 || n != rest.size() || rest[0] == '0') return false;
    for (const char c : rest) version_ = version_ * 10 + (c - '0');
    return true;
  }

  /// YYMM.NNNN, from 1501 on YYMM.NNNNN.
  static bool read_new(std::string_view& rest, std::string& why) {
    const int month = number(rest.substr(0, 4));
    rest.remove_prefix(5);
    const std::size_t n = run(rest, is_digit, 6);
    if (n != 4 && n != 5) return false;
    if (!is_month(month, why)) return false;
    if (month < 704) return refuse(why, "Such ids begin with 0704.0001");
    if (n == 5 && month < 1501) return refuse(why, "Ids before 1501.00001 have four digits after the point");
    if (n == 4 && month >= 1501) return refuse(why, "Ids from 1501.00001 on have five digits after the point");
    if (number(rest.substr(0, n)) == 0) return refuse(why, "The first of a month is 1, not 0");
    rest.remove_prefix(n);
    return true;
  }

  /// ARCHIVE/YYMMNNN or ARCHIVE.XX/YYMMNNN.
  static bool read_old(std::string_view& rest, std::string& why) {
    const std::size_t n = run(rest, [](char c) { return is_lower(c) || c == '-'; }, 16);
    const std::string_view archive = rest.substr(0, n);
    rest.remove_prefix(n);
    if (rest.size() > 3 && rest[0] == '.' && is_upper(rest[1]) && is_upper(rest[2])) rest.remove_prefix(3);
    if (n == 0 || !rest.starts_with('/')) return false;
    rest.remove_prefix(1);
    if (run(rest, is_digit, 8) != 7) return false;
    if (std::find(kArchives.begin(), kArchives.end(), archive) == kArchives.end()) {
      return refuse(why, "arXiv has no such archive");
    }
    const int month = number(rest.substr(0, 4));
    if (!is_month(month, why)) return false;
    if (month > 703 && month < 9107) return refuse(why, "Such ids are of 9107 to 0703");
    if (number(rest.substr(4, 3)) == 0) return refuse(why, "The first of a month is 1, not 0");
    rest.remove_prefix(7);
    return true;
  }

  static bool is_month(int year_and_month, std::string& why) {
    const int month = year_and_month % 100;
    return (month >= 1 && month <= 12) || refuse(why, "The third and fourth digit are a month");
  }

  static bool refuse(std::string& why, std::string_view reason) {
    why = reason;
    return false;
  }

  static int number(std::string_view digits) {
    int value = 0;
    for (const char c : digits) value = value * 10 + (c - '0');
    return value;
  }

  static std::string shown(std::string_view text) {
    std::string safe(text.substr(0, 100));
    for (char& c : safe) c = c < ' ' || c > '~' ? '?' : c;
    return safe;
  }

  // Those that gave ids of the old form.
  static constexpr std::array<std::string_view, 34> kArchives{
      "acc-phys", "adap-org", "alg-geom", "ao-sci",  "astro-ph", "atom-ph",  "bayes-an", "chao-dyn", "chem-ph",
      "cmp-lg",   "comp-gas", "cond-mat", "cs",      "dg-ga",    "funct-an", "gr-qc",    "hep-ex",   "hep-lat",
      "hep-ph",   "hep-th",   "math",     "math-ph", "mtrl-th",  "nlin",     "nucl-ex",  "nucl-th",  "patt-sol",
      "physics",  "plasm-ph", "q-alg",    "q-bio",   "quant-ph", "solv-int", "supr-con"};

  std::string base_;
  int version_ = 0;
};

}  // namespace flashlm::inline v0::tools

// SPDX-License-Identifier: Apache-2.0
/// paper_id.hpp: the name of a paper on arXiv, checked before it becomes part of a path or an
/// address.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

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
  static PaperId parse(std::string_view text);

  /// Without the version.
  const std::string& base() const noexcept { return base_; }

  /// 1, 2, ...; 0 stands for the newest.
  int version() const noexcept { return version_; }

  /// As arXiv writes it.
  std::string text() const {
    return version_ == 0 ? base_ : base_ + "v" + std::to_string(version_);
  }

  /// `base()` as a file name. Different ids have different ones, none begins with a dot.
  std::string stem() const;

  PaperId with_version(int version) const;

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
  bool read(std::string_view text, std::string& why);

  /// YYMM.NNNN, from 1501 on YYMM.NNNNN.
  static bool read_new(std::string_view& rest, std::string& why);

  /// ARCHIVE/YYMMNNN or ARCHIVE.XX/YYMMNNN.
  static bool read_old(std::string_view& rest, std::string& why);

  static bool is_month(int year_and_month, std::string& why);

  static bool refuse(std::string& why, std::string_view reason);

  static int number(std::string_view digits);

  static std::string shown(std::string_view text);

  // Those that gave ids of the old form.
  static constexpr std::array<std::string_view, 34> kArchives{
      "acc-phys", "adap-org", "alg-geom", "ao-sci",   "astro-ph", "atom-ph",  "bayes-an",
      "chao-dyn", "chem-ph",  "cmp-lg",   "comp-gas", "cond-mat", "cs",       "dg-ga",
      "funct-an", "gr-qc",    "hep-ex",   "hep-lat",  "hep-ph",   "hep-th",   "math",
      "math-ph",  "mtrl-th",  "nlin",     "nucl-ex",  "nucl-th",  "patt-sol", "physics",
      "plasm-ph", "q-alg",    "q-bio",    "quant-ph", "solv-int", "supr-con"};

  std::string base_;
  int version_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/papers/paper_id.ipp"
#endif

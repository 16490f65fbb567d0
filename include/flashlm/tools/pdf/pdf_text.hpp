// SPDX-License-Identifier: Apache-2.0
/// pdf_text.hpp: repairs what typesetting does to text: ligatures, odd spaces, words cut at line
/// ends.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// UTF-16 as UTF-8; lone surrogates become U+FFFD.
std::string utf16_to_utf8(std::span<const unsigned short> units);

/// Text with Latin ligatures (U+FB00 to U+FB06) spelled out, every kind of space as ' ', and no
/// control, zero-width or byte-order characters. Soft hyphens stay at the end only, where
/// `join_hyphens` needs them. Characters of private use, which mean something in one font only, and
/// broken UTF-8 become U+FFFD. Line feeds stay.
std::string clean_text(std::string_view bytes);

namespace detail {

inline bool is_hyphen(char32_t code) noexcept {
  return code == '-' || code == 0x2010 || code == 0xad;
}

}  // namespace detail

/// The words of a document, which tell how its author writes them: "low-rank" or "lowrank".
///
/// Thread-compatible.
class HyphenGuide {
 public:
  /// Counts the words of `text` but those that a line's end cuts.
  void add(std::string_view text);

  /// True if a word that a line's end cut into `head` and `tail` is written with a hyphen.
  ///
  /// The document decides if it has the word elsewhere; otherwise a hyphen stays before capitals,
  /// beside digits, between two words of the document, after self, well and non, and in words with
  /// a further hyphen.
  bool keeps_hyphen(std::string_view head, std::string_view tail) const;

  /// How often a word, or two with a hyphen between them, occurs. In lower case.
  std::size_t times(const std::string& word) const;

 private:
  /// A word of several parts counts as each pair of neighbours: state-of, of-the, the-art.
  void count(std::string_view word);

  std::unordered_map<std::string, std::size_t> counts_;
};

/// Joins words that are cut at the end of a line, or of a column: the second half moves up to the
/// first.
///
/// `guide` decides about the hyphen; a soft one always goes. A dash, or a line that goes on with
/// something else than a letter or a digit, stays as it is. Takes time in proportion to `text`.
std::string join_hyphens(std::string_view text, const HyphenGuide& guide);

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/pdf/pdf_text.ipp"
#endif

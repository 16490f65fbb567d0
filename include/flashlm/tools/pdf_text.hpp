// SPDX-License-Identifier: Apache-2.0
/// pdf_text.hpp: repairs what typesetting does to text: ligatures, odd spaces, words cut at line ends.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "flashlm/text/unicode.hpp"
#include "flashlm/text/utf8.hpp"

namespace flashlm::inline v0::tools {

/// UTF-16 as UTF-8; lone surrogates become U+FFFD.
inline std::string utf16_to_utf8(std::span<const unsigned short> units) {
  std::string text;
  for (std::size_t index = 0; index < units.size(); ++index) {
    char32_t code = units[index];
    if (code >= 0xd800 && code < 0xe000) {
      const bool is_pair = code < 0xdc00 && index + 1 < units.size() && (units[index + 1] & 0xfc00) == 0xdc00;
      code = is_pair ? 0x10000 + ((code - 0xd800) << 10) + (units[++index] - 0xdc00u) : 0xfffd;
    }
    text::append_utf8(text, code);
  }
  return text;
}

/// Text with Latin ligatures (U+FB00 to U+FB06) spelled out, every kind of space as ' ', and no control, zero-width or
/// byte-order characters. Soft hyphens stay at the end only, where `join_hyphens` needs them. Characters of private
/// use, which mean something in one font only, and broken UTF-8 become U+FFFD. Line feeds stay.
inline std::string clean_text(std::string_view bytes) {
  static constexpr std::string_view kLigatures[] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};
  std::string text;
  while (!bytes.empty()) {
    const text::Utf8Step step = text::utf8_step(bytes);
    const std::string_view character = bytes.substr(0, step.length);
    bytes.remove_prefix(step.length);
    const char32_t code = step.code;
    if (code >= 0xfb00 && code <= 0xfb06) {
      text += kLigatures[code - 0xfb00];
    } else if (code == '\n') {
      text += '\n';
    } else if (text::is_space(code)) {
      text += ' ';
    } else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) || code == 0xfeff ||
               (code == 0xad && !bytes.empty() && bytes.front() != '\n')) {
      // Nothing is printed there.
    } else if ((code >= 0xe000 && code <= 0xf8ff) || code >= 0xf0000 || step.kind != text::Utf8Step::Kind::complete) {
      text += text::kReplacement;
    } else {
      text += character;
    }
  }
  return text;
}

namespace detail {

inline bool is_hyphen(char32_t code) noexcept { return code == '-' || code == 0x2010 || code == 0xad; }

/// Capital letters of the scripts that hyphenate: Latin, Greek, Cyrillic.
inline bool is_capital(char32_t code) noexcept {
  if (code >= 0x100 && code < 0x180) {
    const bool odd = (code >= 0x139 && code <= 0x148) || code >= 0x179;  // there the capitals are the odd ones
    return code == 0x178 || (code & 1) == (odd ? 1u : 0u);
  }
  return (code >= 'A' && code <= 'Z') || (code >= 0xc0 && code <= 0xde && code != 0xd7) ||
         (code >= 0x386 && code <= 0x3ab && code != 0x390) || (code >= 0x400 && code <= 0x42f);
}

/// Splits off what stands before the first `mark`; the mark goes too.
inline std::string_view take_until(std::string_view& rest, char mark) noexcept {
  const std::size_t at = rest.find(mark);
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return part;
}

/// The letters, digits and (if wanted) hyphens at the beginning or the end of `text`.
inline std::string_view word_at_start(std::string_view text, bool hyphens) noexcept {
  std::size_t length = 0;
  while (length < text.size()) {
    const text::Utf8Step step = text::utf8_step(text.substr(length));
    if (!text::is_letter(step.code) && !text::is_number(step.code) && !(hyphens && is_hyphen(step.code))) break;
    length += step.length;
  }
  return text.substr(0, length);
}

inline std::string lower(std::string_view word) {
  std::string result(word);
  for (char& byte : result) byte = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
  return result;
}

inline char32_t first_code(std::string_view text) noexcept { return text.empty() ? 0 : text::utf8_step(text).code; }

/// The last character of `text`, and where it begins.
inline std::pair<char32_t, std::size_t> last_code(std::string_view text) noexcept {
  std::size_t at = text.size();
  while (at > 0 && text.size() - at < 4) {
    --at;
    if ((static_cast<unsigned char>(text[at]) & 0xc0) != 0x80) break;
  }
  return {first_code(text.substr(at)), at};
}

}  // namespace detail

/// The words of a document, which tell how its author writes them: "low-rank" or "lowrank".
///
/// Thread-compatible.
class HyphenGuide {
 public:
  /// Counts the words of `text` but those that a line's end cuts.
  void add(std::string_view text) {
    while (!text.empty()) {
      std::string_view line = detail::take_until(text, '\n');
      while (!line.empty()) {
        std::string_view word = detail::word_at_start(line, true);
        if (word.empty()) {
          line.remove_prefix(text::utf8_step(line).length);
          continue;
        }
        line.remove_prefix(word.size());
        const bool is_cut = line.empty() && detail::is_hyphen(detail::last_code(word).first);
        if (!is_cut) count(detail::lower(word));
      }
    }
  }

  /// True if a word that a line's end cut into `head` and `tail` is written with a hyphen.
  ///
  /// The document decides if it has the word elsewhere; otherwise a hyphen stays before capitals, beside digits,
  /// between two words of the document, after self, well and non, and in words with a further hyphen.
  bool keeps_hyphen(std::string_view head, std::string_view tail) const {
    const std::size_t cut = head.rfind('-');
    const bool has_more = cut != std::string_view::npos || tail.find('-') != std::string_view::npos;
    const std::string left = detail::lower(cut == std::string_view::npos ? head : head.substr(cut + 1));
    const std::string right = detail::lower(tail.substr(0, tail.find('-')));
    const char32_t before = detail::last_code(head).first;
    const char32_t after = detail::first_code(tail);
    if (text::is_number(before) || text::is_number(after)) return true;
    const std::size_t joined = times(left + right);
    const std::size_t hyphened = times(left + '-' + right);
    if (joined + hyphened > 0) return hyphened > joined;
    if (has_more || detail::is_capital(after)) return true;
    if (left == "self" || left == "well" || left == "non") return true;
    return left.size() >= 3 && right.size() >= 4 && times(left) > 0 && times(right) > 0;
  }

  /// How often a word, or two with a hyphen between them, occurs. In lower case.
  std::size_t times(const std::string& word) const {
    const auto found = counts_.find(word);
    return found == counts_.end() ? 0 : found->second;
  }

 private:
  /// A word of several parts counts as each pair of neighbours: state-of, of-the, the-art.
  void count(std::string_view word) {
    std::string_view rest = word;
    std::string_view last = detail::take_until(rest, '-');
    if (last.size() == word.size()) {
      ++counts_[std::string(word)];
      return;
    }
    while (!rest.empty()) {
      const std::string_view next = detail::take_until(rest, '-');
      if (!last.empty() && !next.empty()) ++counts_[std::string(last) + '-' + std::string(next)];
      last = next;
    }
  }

  std::unordered_map<std::string, std::size_t> counts_;
};

/// Joins words that are cut at the end of a line, or of a column: the second half moves up to the first.
///
/// `guide` decides about the hyphen; a soft one always goes. A dash, or a line that goes on with something else than a
/// letter or a digit, stays as it is. Takes time in proportion to `text`.
inline std::string join_hyphens(std::string_view text, const HyphenGuide& guide) {
  constexpr std::size_t kLongestWord = 100;  // in bytes
  std::string result;
  while (!text.empty()) {
    std::string line(detail::take_until(text, '\n'));
    while (true) {  // a joined line may end in the next cut word
      const auto [hyphen, at] = detail::last_code(line);
      if (line.empty() || !detail::is_hyphen(hyphen)) break;
      std::string_view next = text;
      if (!next.empty() && next.front() == '\n') next.remove_prefix(1);  // a column ends between the halves
      const std::string_view tail = detail::word_at_start(next, true);
      std::string_view head = std::string_view(line).substr(0, at);
      head.remove_prefix(at - std::min(at, kLongestWord + 1));  // so that a hostile text costs no more than others
      head.remove_prefix(head.rfind(' ') + 1);
      const char32_t before = detail::last_code(head).first;
      const char32_t after = detail::first_code(tail);
      const auto is_part = [](char32_t code) { return text::is_letter(code) || text::is_number(code); };
      if (head.empty() || head.size() > kLongestWord || !is_part(before) || !is_part(after)) break;
      const bool keeps = hyphen != 0xad && guide.keeps_hyphen(head, tail.substr(0, tail.find_last_not_of('-') + 1));
      line.resize(at);
      if (keeps) line += '-';
      const std::size_t end = next.find_first_of(" \n");
      line += next.substr(0, end);
      const bool line_is_done = end == std::string_view::npos || next[end] == '\n';
      text = end == std::string_view::npos ? std::string_view() : next.substr(end + 1);
      if (!line_is_done) break;
    }
    result += line;
    result += '\n';
  }
  return result;
}

}  // namespace flashlm::inline v0::tools

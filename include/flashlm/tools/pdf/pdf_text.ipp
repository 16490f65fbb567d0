// SPDX-License-Identifier: Apache-2.0
/// pdf_text.ipp: the bodies of pdf_text.hpp.
#pragma once

#include "flashlm/tools/pdf/pdf_text.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/text/unicode/unicode.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE std::string utf16_to_utf8(std::span<const unsigned short> units) {
  std::string text;
  for (std::size_t index = 0; index < units.size(); ++index) {
    char32_t code = units[index];
    if (code >= 0xd800 && code < 0xe000) {
      const bool is_pair =
          code < 0xdc00 && index + 1 < units.size() && (units[index + 1] & 0xfc00) == 0xdc00;
      code = is_pair ? 0x10000 + ((code - 0xd800) << 10) + (units[++index] - 0xdc00u) : 0xfffd;
    }
    text::append_utf8(text, code);
  }
  return text;
}

FLASHLM_INLINE std::string clean_text(std::string_view bytes) {
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
    } else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
               code == 0xfeff || (code == 0xad && !bytes.empty() && bytes.front() != '\n')) {
      // Nothing is printed there.
    } else if ((code >= 0xe000 && code <= 0xf8ff) || code >= 0xf0000 ||
               step.kind != text::Utf8Step::Kind::complete) {
      text += text::kReplacement;
    } else {
      text += character;
    }
  }
  return text;
}

namespace detail {

/// Capital letters of the scripts that hyphenate: Latin, Greek, Cyrillic.
inline bool is_capital(char32_t code) noexcept {
  if (code >= 0x100 && code < 0x180) {
    const bool odd =
        (code >= 0x139 && code <= 0x148) || code >= 0x179;  // there the capitals are the odd ones
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
    if (!text::is_letter(step.code) && !text::is_number(step.code) &&
        !(hyphens && is_hyphen(step.code)))
      break;
    length += step.length;
  }
  return text.substr(0, length);
}

inline std::string lower(std::string_view word) {
  std::string result(word);
  for (char& byte : result)
    byte = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
  return result;
}

inline char32_t first_code(std::string_view text) noexcept {
  return text.empty() ? 0 : text::utf8_step(text).code;
}

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

FLASHLM_INLINE void HyphenGuide::add(std::string_view text) {
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

FLASHLM_INLINE bool HyphenGuide::keeps_hyphen(std::string_view head, std::string_view tail) const {
  const std::size_t cut = head.rfind('-');
  const bool has_more = cut != std::string_view::npos || tail.find('-') != std::string_view::npos;
  const std::string left =
      detail::lower(cut == std::string_view::npos ? head : head.substr(cut + 1));
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

FLASHLM_INLINE std::size_t HyphenGuide::times(const std::string& word) const {
  const auto found = counts_.find(word);
  return found == counts_.end() ? 0 : found->second;
}

FLASHLM_INLINE void HyphenGuide::count(std::string_view word) {
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

FLASHLM_INLINE std::string join_hyphens(std::string_view text, const HyphenGuide& guide) {
  constexpr std::size_t kLongestWord = 100;  // in bytes
  std::string result;
  while (!text.empty()) {
    std::string line(detail::take_until(text, '\n'));
    while (true) {  // a joined line may end in the next cut word
      const auto [hyphen, at] = detail::last_code(line);
      if (line.empty() || !detail::is_hyphen(hyphen)) break;
      std::string_view next = text;
      if (!next.empty() && next.front() == '\n')
        next.remove_prefix(1);  // a column ends between the halves
      const std::string_view tail = detail::word_at_start(next, true);
      std::string_view head = std::string_view(line).substr(0, at);
      head.remove_prefix(
          at - std::min(at, kLongestWord + 1));  // so that a hostile text costs no more than others
      head.remove_prefix(head.rfind(' ') + 1);
      const char32_t before = detail::last_code(head).first;
      const char32_t after = detail::first_code(tail);
      const auto is_part = [](char32_t code) {
        return text::is_letter(code) || text::is_number(code);
      };
      if (head.empty() || head.size() > kLongestWord || !is_part(before) || !is_part(after)) break;
      const bool keeps = hyphen != 0xad &&
                         guide.keeps_hyphen(head, tail.substr(0, tail.find_last_not_of('-') + 1));
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

}  // namespace flashlm::inline FLASHLM_ABI::tools

// SPDX-License-Identifier: Apache-2.0
/// utf8.hpp: reading UTF-8 that may be cut or broken.
///
/// Broken bytes become U+FFFD, one for each maximal subpart (Unicode 15, section 3.9, "U+FFFD
/// Substitution of Maximal Subparts"), as Rust, Python and browsers do it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// The replacement character U+FFFD in UTF-8.
inline constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// What stands at the beginning of some bytes.
struct Utf8Step {
  enum class Kind { complete, broken, cut };
  Kind kind;  // a character; bytes that no character begins with; the beginning of a character,
              // then the end
  std::size_t length;  // in bytes, at least 1
  char32_t code;       // U+FFFD unless complete
};

/// Reads one step from `bytes`, which may not be empty.
constexpr Utf8Step utf8_step(std::string_view bytes) noexcept {
  using Kind = Utf8Step::Kind;
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(bytes[index]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {Kind::complete, 1, lead};
  std::size_t length = 0;
  unsigned low = 0x80;  // the second byte lies in [low, high]: no overlong forms, no surrogates, at
                        // most U+10FFFF
  unsigned high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return {Kind::broken, 1, 0xfffd};
  }
  char32_t code = lead & (0x7fu >> length);
  for (std::size_t index = 1; index < length; ++index) {
    if (index == bytes.size()) return {Kind::cut, index, 0xfffd};
    const unsigned next = byte(index);
    if (next < low || next > high) return {Kind::broken, index, 0xfffd};
    code = (code << 6) | (next & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  return {Kind::complete, length, code};
}

/// True if `bytes` is well-formed UTF-8.
constexpr bool is_utf8(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const Utf8Step step = utf8_step(bytes);
    if (step.kind != Utf8Step::Kind::complete) return false;
    bytes.remove_prefix(step.length);
  }
  return true;
}

/// The bytes as UTF-8, each broken or cut sequence replaced by U+FFFD.
std::string utf8_lossy(std::string_view bytes);

/// Appends the character `code` to `text`. `code` is at most U+10FFFF and no surrogate.
void append_utf8(std::string& text, char32_t code);

/// Makes text of a stream of bytes that may be cut anywhere, as tokens cut it.
///
/// The pieces of all pushes and the flush together equal `utf8_lossy` of all bytes, however they
/// are cut. Not thread-safe.
class Utf8Stream {
 public:
  /// The characters that `bytes` completes. Valid until the next call.
  std::string_view push(std::string_view bytes);

  /// Ends the stream: U+FFFD if a character is unfinished, else nothing. Valid until the next call.
  std::string_view flush();

 private:
  std::string input_;  // what is not yet a character: under 4 bytes between calls
  std::string text_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/unicode/utf8.ipp"
#endif

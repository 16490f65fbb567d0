// SPDX-License-Identifier: Apache-2.0
/// utf8.ipp: the bodies of utf8.hpp.
#pragma once

#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE std::string utf8_lossy(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Step step = utf8_step(bytes);
    text += step.kind == Utf8Step::Kind::complete ? bytes.substr(0, step.length) : kReplacement;
    bytes.remove_prefix(step.length);
  }
  return text;
}

FLASHLM_INLINE void append_utf8(std::string& text, char32_t code) {
  const auto put = [&](char32_t byte) {
    text += static_cast<char>(static_cast<unsigned char>(byte));
  };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | (code >> 6));
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3f));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

FLASHLM_INLINE std::string_view Utf8Stream::push(std::string_view bytes) {
  input_.append(bytes);
  text_.clear();
  std::string_view rest = input_;
  while (!rest.empty()) {
    const Utf8Step step = utf8_step(rest);
    if (step.kind == Utf8Step::Kind::cut) break;
    text_ += step.kind == Utf8Step::Kind::complete ? rest.substr(0, step.length) : kReplacement;
    rest.remove_prefix(step.length);
  }
  input_.erase(0, input_.size() - rest.size());
  return text_;
}

FLASHLM_INLINE std::string_view Utf8Stream::flush() {
  text_.assign(input_.empty() ? std::string_view() : kReplacement);
  input_.clear();
  return text_;
}

}  // namespace flashlm::inline FLASHLM_ABI::text

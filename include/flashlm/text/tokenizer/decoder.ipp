// SPDX-License-Identifier: Apache-2.0
/// decoder.ipp: the bodies of decoder.hpp.
#pragma once

#include "flashlm/text/tokenizer/decoder.hpp"

#include <optional>

#include "flashlm/text/tokenizer/byte_alphabet.hpp"
#include "flashlm/text/tokenizer/normalizer.hpp"
#include "flashlm/text/tokenizer/pre_tokenizer.hpp"
#include "flashlm/text/tokenizer/vocabulary.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_ONCE Decoder Decoder::parse(const storage::JsonField& field) {
  Decoder result;
  result.add(field, 0);
  const bool pieces = result.byte_fallback_ || result.strip_times_ != 0;
  if (result.byte_level_ && (pieces || !result.replacements_.empty()))
    field.wrong("ByteLevel alone, or what pieces of SentencePiece need");
  return result;
}

FLASHLM_ONCE void Decoder::add(const storage::JsonField& field, int depth) {
  const std::string& type = field["type"].string();
  if (type == "Sequence" && depth < 8) {
    field["decoders"].elements([&](const storage::JsonField& part) { add(part, depth + 1); });
  } else if (type == "ByteLevel") {
    byte_level_ = true;
  } else if (type == "ByteFallback") {
    byte_fallback_ = true;
  } else if (type == "Replace") {
    const storage::JsonField pattern = field["pattern"];
    if (pattern["String"].is_null()) pattern.wrong("a String");
    replacements_.emplace_back(pattern["String"].word(), field["content"].string());
  } else if (type == "Strip") {
    strip_ = field["content"].word();
    strip_times_ = static_cast<std::size_t>(field["start"].count(0, 1024));
    if (field["stop"].count(0, 1024) != 0) field["stop"].wrong("0");
  } else if (type == "Metaspace") {
    const storage::JsonField sign = field["replacement"];
    replacements_.emplace_back(sign.is_null() ? std::string(kSpaceSign) : sign.word(), " ");
    const storage::JsonField scheme = field["prepend_scheme"];
    const bool never =
        scheme.is_null() ? !field["add_prefix_space"].flag(true) : scheme.string() == "never";
    strip_ = " ";
    strip_times_ = never ? 0 : ~std::size_t{0};
    strips_first_ = true;
  } else if (type != "Fuse") {
    field["type"].wrong("ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip or Sequence");
  }
}

FLASHLM_INLINE std::string Decoder::bytes(std::string_view written) const {
  if (byte_level_) return alphabet_to_bytes(written).value_or(std::string(written));
  if (byte_fallback_) {
    if (const std::optional<char> byte = byte_of(written)) return std::string(1, *byte);
  }
  std::string bytes(written);
  for (const auto& [from, to] : replacements_) bytes = replaced(bytes, from, to);
  return bytes;
}

FLASHLM_INLINE std::size_t Decoder::stripped(std::string_view text,
                                             std::size_t first) const noexcept {
  if (strips_first_) text = text.substr(0, first);
  std::size_t length = 0;
  for (std::size_t n = 0; n < strip_times_ && text.substr(length).starts_with(strip_); ++n)
    length += strip_.size();
  return length;
}

}  // namespace flashlm::inline FLASHLM_ABI::text

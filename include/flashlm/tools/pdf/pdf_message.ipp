// SPDX-License-Identifier: Apache-2.0
/// pdf_message.ipp: the bodies of pdf_message.hpp.
#pragma once

#include "flashlm/tools/pdf/pdf_message.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE PdfPacker& PdfPacker::number(std::uint64_t value) {
  for (int byte = 0; byte < 8; ++byte) bytes_ += static_cast<char>(value >> (8 * byte) & 0xff);
  return *this;
}

FLASHLM_INLINE PdfPacker& PdfPacker::text(std::string_view value) {
  number(value.size());
  bytes_ += value;
  return *this;
}

FLASHLM_INLINE std::uint64_t PdfUnpacker::number() {
  std::uint64_t value = 0;
  const std::string_view part = take(8);
  for (std::size_t byte = 0; byte < 8; ++byte) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(part[byte])) << (8 * byte);
  }
  return value;
}

FLASHLM_INLINE std::string PdfUnpacker::text() { return text::utf8_lossy(take(number())); }

FLASHLM_INLINE std::string_view PdfUnpacker::take(std::uint64_t length) {
  if (length > rest_.size())
    throw FormatError("[pdf] expected an answer of the reading process, got a part of it");
  const std::string_view part = rest_.substr(0, static_cast<std::size_t>(length));
  rest_.remove_prefix(part.size());
  return part;
}

FLASHLM_INLINE std::string pack_info(const PdfInfo& info) {
  PdfPacker packer;
  packer.text(info.title)
      .text(info.author)
      .number(info.n_pages)
      .number(info.encrypted)
      .number(info.complete);
  return packer.bytes();
}

FLASHLM_INLINE PdfInfo unpack_info(std::string_view payload) {
  PdfUnpacker fields(payload);
  PdfInfo info;
  info.title = fields.text();
  info.author = fields.text();
  info.n_pages = static_cast<std::size_t>(fields.number());
  info.encrypted = fields.number() != 0;
  info.complete = fields.number() != 0;
  return info;
}

FLASHLM_INLINE std::string pack_page(const PdfPage& page) {
  PdfPacker packer;
  packer.number(page.number).text(page.text).number(page.damaged);
  return packer.bytes();
}

FLASHLM_INLINE PdfPage unpack_page(std::string_view payload) {
  PdfUnpacker fields(payload);
  PdfPage page;
  page.number = static_cast<std::size_t>(fields.number());
  page.text = fields.text();
  page.damaged = fields.number() != 0;
  return page;
}

}  // namespace flashlm::inline FLASHLM_ABI::tools

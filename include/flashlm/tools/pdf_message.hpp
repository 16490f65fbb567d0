// SPDX-License-Identifier: Apache-2.0
/// pdf_message.hpp: what the process that reads a PDF is asked for, and how its answers travel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "flashlm/text/utf8.hpp"

namespace flashlm::inline v0::tools {

/// What a PDF says about itself.
struct PdfInfo {
  std::string title;  // empty if the file does not say
  std::string author;
  std::size_t n_pages = 0;
  bool encrypted = false;  // and opened, with the password or without one
  bool complete = true;    // false: the end of the file is missing, and perhaps pages
};

/// The text of one page.
struct PdfPage {
  std::size_t number;  // from 1
  std::string text;    // lines; an empty line between paragraphs
  bool damaged;        // poppler cannot read this page
};

/// Which pages are read.
struct PdfRequest {
  std::size_t first_page = 1;
  std::size_t last_page = std::numeric_limits<std::size_t>::max();  // inclusive; beyond the end means the end
  std::size_t max_pages = std::numeric_limits<std::size_t>::max();  // 0: the info only
  std::string password{};
};

/// Kinds of messages.
inline constexpr char kPdfInfo = 'i';
inline constexpr char kPdfPage = 'p';
inline constexpr char kPdfFormatError = 'f';
inline constexpr char kPdfError = 'e';

/// Numbers and strings as bytes, from the child to its parent.
class PdfPacker {
 public:
  PdfPacker& number(std::uint64_t value) {
    for (int byte = 0; byte < 8; ++byte) bytes_ += static_cast<char>(value >> (8 * byte) & 0xff);
    return *this;
  }
  PdfPacker& text(std::string_view value) {
    number(value.size());
    bytes_ += value;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Reads what a child packed. The child may be in the hands of the file, so that nothing is taken for granted.
class PdfUnpacker {
 public:
  explicit PdfUnpacker(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    const std::string_view part = take(8);
    for (std::size_t byte = 0; byte < 8; ++byte) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(part[byte])) << (8 * byte);
    }
    return value;
  }
  std::string text() { return text::utf8_lossy(take(number())); }

 private:
  std::string_view take(std::uint64_t length) {
    if (length > rest_.size()) throw FormatError("[pdf] expected an answer of the reading process, got a part of it");
    const std::string_view part = rest_.substr(0, static_cast<std::size_t>(length));
    rest_.remove_prefix(part.size());
    return part;
  }

  std::string_view rest_;
};

/// PdfInfo as the payload of a message.
inline std::string pack_info(const PdfInfo& info) {
  PdfPacker packer;
  packer.text(info.title).text(info.author).number(info.n_pages).number(info.encrypted).number(info.complete);
  return packer.bytes();
}

/// Throws FormatError if something is missing.
inline PdfInfo unpack_info(std::string_view payload) {
  PdfUnpacker fields(payload);
  PdfInfo info;
  info.title = fields.text();
  info.author = fields.text();
  info.n_pages = static_cast<std::size_t>(fields.number());
  info.encrypted = fields.number() != 0;
  info.complete = fields.number() != 0;
  return info;
}

/// PdfPage as the payload of a message.
inline std::string pack_page(const PdfPage& page) {
  PdfPacker packer;
  packer.number(page.number).text(page.text).number(page.damaged);
  return packer.bytes();
}

/// Throws FormatError if something is missing.
inline PdfPage unpack_page(std::string_view payload) {
  PdfUnpacker fields(payload);
  PdfPage page;
  page.number = static_cast<std::size_t>(fields.number());
  page.text = fields.text();
  page.damaged = fields.number() != 0;
  return page;
}

}  // namespace flashlm::inline v0::tools

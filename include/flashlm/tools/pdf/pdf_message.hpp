// SPDX-License-Identifier: Apache-2.0
/// pdf_message.hpp: what the process that reads a PDF is asked for, and how its answers travel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

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
  std::size_t last_page =
      std::numeric_limits<std::size_t>::max();  // inclusive; beyond the end means the end
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
  PdfPacker& number(std::uint64_t value);
  PdfPacker& text(std::string_view value);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Reads what a child packed. The child may be in the hands of the file, so that nothing is taken
/// for granted.
class PdfUnpacker {
 public:
  explicit PdfUnpacker(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number();
  std::string text();

 private:
  std::string_view take(std::uint64_t length);

  std::string_view rest_;
};

/// PdfInfo as the payload of a message.
std::string pack_info(const PdfInfo& info);

/// Throws FormatError if something is missing.
PdfInfo unpack_info(std::string_view payload);

/// PdfPage as the payload of a message.
std::string pack_page(const PdfPage& page);

/// Throws FormatError if something is missing.
PdfPage unpack_page(std::string_view payload);

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/pdf/pdf_message.ipp"
#endif

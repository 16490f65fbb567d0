// SPDX-License-Identifier: Apache-2.0
/// pdf.hpp: the text of a PDF page by page, read by poppler in a child process.
///
/// Needs the component `pdf`: poppler-cpp. Poppler is under the GPL, so a program that links it is
/// GPL as a whole; see docs/pdf.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/tools/pdf/pdf_message.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// What is read of a PDF, and what it may cost.
struct PdfOptions {
  std::size_t first_page = 1;  // pages count from 1
  std::optional<std::size_t>
      last_page{};           // inclusive; the last one there is if absent or beyond it
  std::string password{};    // the user's or the owner's
  bool require_text = true;  // pages without a single word are an error
  std::uint64_t max_file_bytes = std::uint64_t{256} << 20;  // below 2 GiB
  std::size_t max_pages = 2000;                             // that are read at once
  std::uint64_t max_text_bytes = std::uint64_t{64} << 20;   // of all pages that are read
  double max_seconds = 60;                                  // on the clock on the wall
  std::uint64_t max_memory_bytes = std::uint64_t{1} << 30;  // of the child; Linux only
  /// Reads in a forked child, so that a hostile file can neither hang nor crash this process nor
  /// take its memory. Without it time is looked at between pages only and memory is not bounded:
  /// for files that are trusted.
  bool isolate = true;
  /// Called after each page, and about ten times a second meanwhile when isolated. May throw, which
  /// ends the reading.
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

/// A PDF, or some pages of it.
struct Pdf {
  PdfInfo info;
  std::vector<PdfPage> pages;

  bool has_text() const;
  /// All pages, with an empty line between them.
  std::string text() const;
};

/// The text of a PDF: columns in reading order, ligatures spelled out, words that a line's end cuts
/// joined. Headers and footers stay where they are.
///
/// A file that is cut or partly damaged gives what is left of it: see `PdfInfo::complete` and
/// `PdfPage::damaged`. Throws IoError if the file cannot be read; FormatError if it is no PDF,
/// encrypted without the right password, too damaged to open, or (with `require_text`) has no text
/// on the pages that were asked for, as scanned ones; ArgumentError if `first_page` lies beyond the
/// end or an option outside its range; Error if a limit is exceeded, which it names. Thread-safe.
Pdf read_pdf(const std::filesystem::path& path, const PdfOptions& options = {});

/// Title, author and number of pages. Errors and limits as for `read_pdf`; what concerns pages is
/// not looked at.
PdfInfo read_pdf_info(const std::filesystem::path& path, const PdfOptions& options = {});

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/pdf/pdf.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// poppler_reader.hpp: opens a PDF with poppler and sends its pages; the only place that knows
/// poppler.
#pragma once

#include <string>
#include <string_view>

#include "flashlm/storage/io/file.hpp"
#include "flashlm/tools/pdf/child_process.hpp"
#include "flashlm/tools/pdf/pdf_message.hpp"
#include "flashlm/version.hpp"

#if defined(__has_include)
#if !__has_include(<poppler-document.h>)
#error "flashlm::pdf needs poppler-cpp: apt-get install libpoppler-cpp-dev, then link flashlm::pdf"
#endif
#endif

#include <poppler-document.h>
#include <poppler-global.h>
#include <poppler-page.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/tools/pdf/child_process.hpp"
#include "flashlm/tools/pdf/pdf_message.hpp"
#include "flashlm/tools/pdf/pdf_text.hpp"
#include "flashlm/tools/pdf/reading_order.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// The work of a child: a PdfInfo, then a PdfPage for each page that is asked for, or an error.
///
/// `file` and `request` must outlive it; the file is below 2 GiB. Sends FormatError and other
/// errors of flashlm as messages and throws nothing but std::bad_alloc. Not thread-safe, and only
/// one at a time in a process, since poppler has global state.
class PopplerReader {
 public:
  PopplerReader(const storage::File& file, const PdfRequest& request)
      : file_(file), request_(request) {}
  PopplerReader(storage::File&&, const PdfRequest&) = delete;
  PopplerReader(const storage::File&, PdfRequest&&) = delete;

  void operator()(const ChildSend& send) const;

 private:
  void read(const ChildSend& send) const;

  static bool ends_well(std::string_view bytes);

  static std::string one_line(const poppler::ustring& value);

  static std::string page_text(const poppler::page& page);

  const storage::File& file_;
  const PdfRequest& request_;
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/pdf/poppler_reader.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// poppler_reader.ipp: the bodies of poppler_reader.hpp.
#pragma once

#include "flashlm/tools/pdf/poppler_reader.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/tools/pdf/pdf_text.hpp"
#include "flashlm/tools/pdf/reading_order.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE void PopplerReader::operator()(const ChildSend& send) const {
  try {
    read(send);
  } catch (const FormatError& error) {
    send(kPdfFormatError, error.what());
  } catch (const Error& error) {
    send(kPdfError, error.what());
  }
}

FLASHLM_INLINE void PopplerReader::read(const ChildSend& send) const {
  poppler::set_debug_error_function([](const std::string&, void*) {}, nullptr);  // it would print
  std::vector<char> bytes(static_cast<std::size_t>(file_.size()));
  file_.read(0, std::as_writable_bytes(std::span(bytes)));
  const std::string path = file_.path().string();
  const std::unique_ptr<poppler::document> document(poppler::document::load_from_raw_data(
      bytes.data(), static_cast<int>(bytes.size()), request_.password, request_.password));
  const bool complete = ends_well({bytes.data(), bytes.size()});
  if (!document) {
    throw FormatError(concat("[pdf] expected a PDF, got a damaged one (", path, ").",
                             complete ? "" : " Its end is missing. Was the download cut short?"));
  }
  if (document->is_locked()) {
    throw FormatError(concat("[pdf] encrypted: expected a password, got ",
                             request_.password.empty() ? "none" : "a wrong one", " (", path, ")"));
  }
  PdfInfo info;
  info.n_pages = static_cast<std::size_t>(std::max(document->pages(), 0));
  if (info.n_pages == 0)
    throw FormatError(concat("[pdf] expected pages, got none (", path, "). Is it damaged?"));
  info.title = one_line(document->get_title());
  info.author = one_line(document->get_author());
  info.encrypted = document->is_encrypted();
  info.complete = complete;
  send(kPdfInfo, pack_info(info));
  const std::size_t last = std::min(info.n_pages, request_.last_page);
  for (std::size_t number = request_.first_page; number <= last; ++number) {
    if (number - request_.first_page == request_.max_pages) break;
    const std::unique_ptr<poppler::page> page(document->create_page(static_cast<int>(number - 1)));
    send(kPdfPage, pack_page({number, page ? page_text(*page) : std::string(), page == nullptr}));
  }
}

FLASHLM_INLINE bool PopplerReader::ends_well(std::string_view bytes) {
  return bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), 1024)).find("%%EOF") !=
         std::string::npos;
}

FLASHLM_INLINE std::string PopplerReader::one_line(const poppler::ustring& value) {
  std::string text = clean_text(utf16_to_utf8({value.data(), value.size()}));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

FLASHLM_INLINE std::string PopplerReader::page_text(const poppler::page& page) {
  std::vector<WordBox> words;
  for (const poppler::text_box& box : page.text_list()) {
    std::string text = one_line(box.text());
    if (text.find_first_not_of(' ') == std::string::npos) continue;
    const poppler::rectf place = box.bbox();
    words.push_back({std::move(text), place.left(), place.top(), place.right(), place.bottom(),
                     box.has_space_after(), box.rotation()});
  }
  return reading_order(words);
}

}  // namespace flashlm::inline FLASHLM_ABI::tools

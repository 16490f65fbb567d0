// SPDX-License-Identifier: Apache-2.0
/// pdf.ipp: the bodies of pdf.hpp.
#pragma once

#include "flashlm/tools/pdf/pdf.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/text/unicode/utf8.hpp"
#include "flashlm/tools/pdf/child_process.hpp"
#include "flashlm/tools/pdf/pdf_text.hpp"
#include "flashlm/tools/pdf/poppler_reader.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE bool Pdf::has_text() const {
  return std::any_of(pages.begin(), pages.end(),
                     [](const PdfPage& page) { return !page.text.empty(); });
}

FLASHLM_INLINE std::string Pdf::text() const {
  std::string result;
  for (const PdfPage& page : pages) {
    if (!result.empty() && !page.text.empty()) result += '\n';
    result += page.text;
  }
  return result;
}

namespace detail {

/// The side that receives: checks, counts and puts together.
class PdfReading {
 public:
  PdfReading(const std::filesystem::path& path, const PdfOptions& options, bool pages)
      : file_(storage::File::open(path)), options_(options), pages_(pages) {
    const auto argument = [&](const char* name, const char* expected, auto got) {
      return ArgumentError(concat("[pdf] ", name, ": expected ", expected, ", got ", got));
    };
    if (options.first_page == 0) throw argument("first_page", "1 or more", 0);
    if (options.last_page && *options.last_page < options.first_page) {
      throw argument("last_page", concat("at least ", options.first_page).c_str(),
                     *options.last_page);
    }
    if (!(options.max_seconds > 0))
      throw argument("max_seconds", "more than 0", options.max_seconds);
    if (options.max_memory_bytes == 0) throw argument("max_memory_bytes", "more than 0", 0);
    const std::uint64_t most =
        std::min<std::uint64_t>(options.max_file_bytes, std::numeric_limits<int>::max());
    if (file_.size() > most) {
      throw Error(concat("[pdf] file: expected at most ", format_bytes(most), ", got ",
                         format_bytes(file_.size()), where(),
                         ". Raise max_file_bytes (to 2 GiB at most)."));
    }
    check_head();
  }

  Pdf run() {
    PdfRequest request{.first_page = options_.first_page, .password = options_.password};
    if (options_.last_page) request.last_page = *options_.last_page;
    request.max_pages = pages_ ? options_.max_pages : 0;
    const PopplerReader work(file_, request);
    options_.isolate ? run_isolated(work) : run_here(work);
    if (!has_info_)
      throw FormatError(concat("[pdf] expected a PDF, got one that gives no answer", where()));
    if (!pages_) return std::move(pdf_);
    if (options_.require_text && !pdf_.has_text()) {
      throw FormatError(concat("[pdf] expected text, got none on ", pdf_.pages.size(), " of ",
                               pdf_.info.n_pages, " pages", where(),
                               ". Was it scanned? Then it needs text recognition (OCR) first."));
    }
    HyphenGuide guide;
    for (const PdfPage& page : pdf_.pages) guide.add(page.text);
    for (PdfPage& page : pdf_.pages) page.text = join_hyphens(page.text, guide);
    return std::move(pdf_);
  }

 private:
  std::string where() const { return concat(" (", file_.path().string(), ")"); }

  /// A download that failed is often a page that says so.
  void check_head() const {
    std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(file_.size(), 1024)), '\0');
    file_.read(0, std::as_writable_bytes(std::span(head)));
    if (head.find("%PDF-") != std::string::npos) return;
    const std::size_t first = head.find_first_not_of(" \t\r\n\xef\xbb\xbf");
    const char* got = "something else";
    if (head.empty())
      got = "an empty file";
    else if (first != std::string::npos && head[first] == '<')
      got = "a web page";
    throw FormatError(concat("[pdf] expected a PDF, got ", got, where()));
  }

  void run_isolated(const PopplerReader& work) {
    ChildProcess child({.seconds = options_.max_seconds,
                        .memory_bytes = options_.max_memory_bytes,
                        .message_bytes = options_.max_text_bytes + 4096},
                       std::cref(work));
    while (const auto message = child.next([&] { report(); }))
      receive(message->kind, message->payload);
    const ChildEnd& end = child.end();
    const std::string at = has_info_ ? concat(" at page ", options_.first_page + pdf_.pages.size(),
                                              " of ", pdf_.info.n_pages)
                                     : std::string(" at its beginning");
    switch (end.kind) {
      case ChildEnd::Kind::finished: return;
      case ChildEnd::Kind::too_slow: throw too_slow(at);
      case ChildEnd::Kind::out_of_memory:
        throw Error(concat("[pdf] memory: expected at most ",
                           format_bytes(options_.max_memory_bytes), ", got more", at, where(),
                           ". Raise max_memory_bytes if you trust it."));
      case ChildEnd::Kind::crashed:
        throw FormatError(concat("[pdf] expected a PDF, got one on which poppler ends with signal ",
                                 end.signal, at, where(),
                                 ". It is damaged, or needs more than max_memory_bytes (",
                                 format_bytes(options_.max_memory_bytes), ")."));
    }
  }

  void run_here(const PopplerReader& work) {
    const auto start = std::chrono::steady_clock::now();
    const std::lock_guard lock(ChildProcess::fork_mutex());
    work([&](char kind, std::string_view payload) {
      receive(kind, payload);
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      if (elapsed.count() > options_.max_seconds)
        throw too_slow(concat(" at page ", pdf_.pages.size()));
    });
  }

  Error too_slow(const std::string& at) const {
    return Error(concat("[pdf] time: expected at most ", options_.max_seconds,
                        " s, got no further than", at, where(),
                        ". Raise max_seconds, or read fewer pages."));
  }

  void report() const {
    if (options_.progress && total_ > 0) options_.progress(pdf_.pages.size(), total_);
  }

  void receive(char kind, std::string_view payload) {
    if (kind == kPdfFormatError) throw FormatError(text::utf8_lossy(payload));
    if (kind == kPdfError) throw Error(text::utf8_lossy(payload));
    if (kind == kPdfInfo) return receive_info(payload);
    if (kind != kPdfPage || !has_info_ || pdf_.pages.size() >= total_) return;
    PdfPage page = unpack_page(payload);
    text_bytes_ += page.text.size();
    if (text_bytes_ > options_.max_text_bytes) {
      throw Error(concat("[pdf] text: expected at most ", format_bytes(options_.max_text_bytes),
                         ", got more by page ", page.number, where(),
                         ". Read fewer pages, or raise max_text_bytes."));
    }
    pdf_.pages.push_back(std::move(page));
    report();
  }

  void receive_info(std::string_view payload) {
    const PdfInfo& info = pdf_.info = unpack_info(payload);
    has_info_ = true;
    if (!pages_) return;
    if (options_.first_page > info.n_pages) {
      throw ArgumentError(concat("[pdf] first_page: expected at most ", info.n_pages, ", got ",
                                 options_.first_page, where()));
    }
    total_ =
        std::min(info.n_pages, options_.last_page.value_or(info.n_pages)) - options_.first_page + 1;
    if (total_ > options_.max_pages) {
      throw Error(concat("[pdf] pages: expected at most ", options_.max_pages, ", got ", total_,
                         where(), ". Read a range of them, or raise max_pages."));
    }
  }

  storage::File file_;
  const PdfOptions& options_;
  bool pages_;
  Pdf pdf_;
  bool has_info_ = false;
  std::size_t total_ = 0;  // pages to come
  std::uint64_t text_bytes_ = 0;
};

}  // namespace detail

FLASHLM_INLINE Pdf read_pdf(const std::filesystem::path& path, const PdfOptions& options) {
  return detail::PdfReading(path, options, true).run();
}

FLASHLM_INLINE PdfInfo read_pdf_info(const std::filesystem::path& path, const PdfOptions& options) {
  return detail::PdfReading(path, options, false).run().info;
}

}  // namespace flashlm::inline FLASHLM_ABI::tools

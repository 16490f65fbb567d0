// SPDX-License-Identifier: Apache-2.0
/// paper_cache.hpp: the folder in which papers and lists of them are kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "flashlm/tools/papers/paper_id.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// `pdf/ID.pdf` and `pdf/IDvN.pdf`, `text/ID.md`, and `answers/CHECKSUM` for what was asked of the
/// hub.
///
/// A file appears whole or not at all. Names are made of checked ids and of checksums, so nothing
/// is ever written outside. Thread-safe, also between processes.
class PaperCache {
 public:
  explicit PaperCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const std::filesystem::path& folder() const noexcept { return folder_; }

  /// Where the PDF of exactly this id belongs; version 0 is one whose version nobody told.
  std::filesystem::path pdf_path(const PaperId& id) const;

  /// The PDF that is here: of this version, or for an id without one the newest.
  std::optional<std::filesystem::path> find_pdf(const PaperId& id) const;

  /// Throws IoError.
  std::filesystem::path put_pdf(const PaperId& id, std::string_view bytes) const {
    return put(pdf_path(id), bytes);
  }

  std::filesystem::path text_path(const PaperId& id) const {
    return folder_ / "text" / (id.stem() + ".md");
  }

  /// The Markdown of a paper, if it is here.
  std::optional<std::string> find_text(const PaperId& id) const { return read(text_path(id)); }

  /// Throws IoError.
  void put_text(const PaperId& id, std::string_view text) const { put(text_path(id), text); }

  /// The answer to `question` (an address), if it is here and not older than that.
  std::optional<std::string> find_answer(std::string_view question, double max_seconds) const;

  /// `question` has no line break. Throws IoError.
  void put_answer(std::string_view question, std::string_view answer) const;

  /// Makes the folder and returns the place of a lock file in it. Throws IoError.
  std::filesystem::path lock_path(std::string_view name) const;

 private:
  static constexpr std::uint64_t kLongestText = std::uint64_t{256} << 20;

  std::filesystem::path answer_path(std::string_view question) const;

  /// The N of a file "IDvN.pdf" of that id, else 0.
  static int version_in(std::string_view name, const PaperId& id);

  static std::optional<std::filesystem::path> existing(const std::filesystem::path& path);

  /// What cannot be read is as if it were not there.
  static std::optional<std::string> read(const std::filesystem::path& path);

  static void make(const std::filesystem::path& folder);

  static std::filesystem::path put(const std::filesystem::path& path, std::string_view bytes);

  std::filesystem::path folder_;
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/papers/paper_cache.ipp"
#endif

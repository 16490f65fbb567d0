// SPDX-License-Identifier: Apache-2.0
/// paper_cache.hpp: the folder in which papers and lists of them are kept.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/checksum.hpp"
#include "flashlm/storage/file.hpp"
#include "flashlm/storage/file_writer.hpp"
#include "flashlm/tools/paper_id.hpp"

namespace flashlm::inline v0::tools {

/// `pdf/ID.pdf` and `pdf/IDvN.pdf`, `text/ID.md`, and `answers/CHECKSUM` for what was asked of the hub.
///
/// A file appears whole or not at all. Names are made of checked ids and of checksums, so nothing is ever written
/// outside. Thread-safe, also between processes.
class PaperCache {
 public:
  explicit PaperCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const std::filesystem::path& folder() const noexcept { return folder_; }

  /// Where the PDF of exactly this id belongs; version 0 is one whose version nobody told.
  std::filesystem::path pdf_path(const PaperId& id) const {
    const std::string version = id.version() == 0 ? "" : "v" + std::to_string(id.version());
    return folder_ / "pdf" / (id.stem() + version + ".pdf");
  }

  /// The PDF that is here: of this version, or for an id without one the newest.
  std::optional<std::filesystem::path> find_pdf(const PaperId& id) const {
    if (id.version() != 0) return existing(pdf_path(id));
    int newest = 0;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "pdf", none)) {
      newest = std::max(newest, version_in(entry.path().filename().string(), id));
    }
    return existing(pdf_path(id.with_version(newest)));
  }

  /// Throws IoError.
  std::filesystem::path put_pdf(const PaperId& id, std::string_view bytes) const { return put(pdf_path(id), bytes); }

  std::filesystem::path text_path(const PaperId& id) const { return folder_ / "text" / (id.stem() + ".md"); }

  /// The Markdown of a paper, if it is here.
  std::optional<std::string> find_text(const PaperId& id) const { return read(text_path(id)); }

  /// Throws IoError.
  void put_text(const PaperId& id, std::string_view text) const { put(text_path(id), text); }

  /// The answer to `question` (an address), if it is here and not older than that.
  std::optional<std::string> find_answer(std::string_view question, double max_seconds) const {
    const std::filesystem::path path = answer_path(question);
    std::error_code none;
    const auto written = std::filesystem::last_write_time(path, none);
    if (none) return std::nullopt;
    const auto age = std::filesystem::file_time_type::clock::now() - written;
    if (std::chrono::duration<double>(age).count() > max_seconds) return std::nullopt;
    std::optional<std::string> text = read(path);
    // Another question may have the same checksum: the first line tells.
    if (!text || !text->starts_with(std::string(question) + "\n")) return std::nullopt;
    return text->substr(question.size() + 1);
  }

  /// `question` has no line break. Throws IoError.
  void put_answer(std::string_view question, std::string_view answer) const {
    put(answer_path(question), std::string(question) + "\n" + std::string(answer));
  }

  /// Makes the folder and returns the place of a lock file in it. Throws IoError.
  std::filesystem::path lock_path(std::string_view name) const {
    make(folder_);
    return folder_ / (std::string(name) + ".lock");
  }

 private:
  static constexpr std::uint64_t kLongestText = std::uint64_t{256} << 20;

  std::filesystem::path answer_path(std::string_view question) const {
    return folder_ / "answers" / storage::crc32_hex(storage::crc32(std::as_bytes(std::span(question))));
  }

  /// The N of a file "IDvN.pdf" of that id, else 0.
  static int version_in(std::string_view name, const PaperId& id) {
    const std::string start = id.stem() + "v";
    if (!name.starts_with(start)) return 0;
    int version = 0;
    const auto [end, problem] = std::from_chars(name.data() + start.size(), name.data() + name.size(), version);
    const bool whole = problem == std::errc() && std::string_view(end, name.data() + name.size()) == ".pdf";
    return whole && version > 0 && version < 1000 ? version : 0;
  }

  static std::optional<std::filesystem::path> existing(const std::filesystem::path& path) {
    std::error_code none;
    return std::filesystem::is_regular_file(path, none) ? std::optional(path) : std::nullopt;
  }

  /// What cannot be read is as if it were not there.
  static std::optional<std::string> read(const std::filesystem::path& path) {
    if (!existing(path)) return std::nullopt;
    try {
      return storage::read_text(path, kLongestText);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  static void make(const std::filesystem::path& folder) {
    std::error_code problem;
    std::filesystem::create_directories(folder, problem);
    if (problem) throw IoError("[papers] cannot make the cache folder", problem.value(), folder.string());
  }

  static std::filesystem::path put(const std::filesystem::path& path, std::string_view bytes) {
    make(path.parent_path());
    storage::write_file(path, std::as_bytes(std::span(bytes)));
    return path;
  }

  std::filesystem::path folder_;
};

}  // namespace flashlm::inline v0::tools

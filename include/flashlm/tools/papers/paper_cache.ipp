// SPDX-License-Identifier: Apache-2.0
/// paper_cache.ipp: the bodies of paper_cache.hpp.
#pragma once

#include "flashlm/tools/papers/paper_cache.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <span>
#include <system_error>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/storage/io/file_writer.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE std::filesystem::path PaperCache::pdf_path(const PaperId& id) const {
  const std::string version = id.version() == 0 ? "" : "v" + std::to_string(id.version());
  return folder_ / "pdf" / (id.stem() + version + ".pdf");
}

FLASHLM_INLINE std::optional<std::filesystem::path> PaperCache::find_pdf(const PaperId& id) const {
  if (id.version() != 0) return existing(pdf_path(id));
  int newest = 0;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "pdf", none)) {
    newest = std::max(newest, version_in(entry.path().filename().string(), id));
  }
  return existing(pdf_path(id.with_version(newest)));
}

FLASHLM_INLINE std::optional<std::string> PaperCache::find_answer(std::string_view question,
                                                                  double max_seconds) const {
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

FLASHLM_INLINE void PaperCache::put_answer(std::string_view question,
                                           std::string_view answer) const {
  put(answer_path(question), std::string(question) + "\n" + std::string(answer));
}

FLASHLM_INLINE std::filesystem::path PaperCache::lock_path(std::string_view name) const {
  make(folder_);
  return folder_ / (std::string(name) + ".lock");
}

FLASHLM_INLINE std::filesystem::path PaperCache::answer_path(std::string_view question) const {
  return folder_ / "answers" /
         storage::crc32_hex(storage::crc32(std::as_bytes(std::span(question))));
}

FLASHLM_INLINE int PaperCache::version_in(std::string_view name, const PaperId& id) {
  const std::string start = id.stem() + "v";
  if (!name.starts_with(start)) return 0;
  int version = 0;
  const auto [end, problem] =
      std::from_chars(name.data() + start.size(), name.data() + name.size(), version);
  const bool whole =
      problem == std::errc() && std::string_view(end, name.data() + name.size()) == ".pdf";
  return whole && version > 0 && version < 1000 ? version : 0;
}

FLASHLM_INLINE std::optional<std::filesystem::path> PaperCache::existing(
    const std::filesystem::path& path) {
  std::error_code none;
  return std::filesystem::is_regular_file(path, none) ? std::optional(path) : std::nullopt;
}

FLASHLM_INLINE std::optional<std::string> PaperCache::read(const std::filesystem::path& path) {
  if (!existing(path)) return std::nullopt;
  try {
    return storage::read_text(path, kLongestText);
  } catch (const Error&) {
    return std::nullopt;
  }
}

FLASHLM_INLINE void PaperCache::make(const std::filesystem::path& folder) {
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem)
    throw IoError("[papers] cannot make the cache folder", problem.value(), folder.string());
}

FLASHLM_INLINE std::filesystem::path PaperCache::put(const std::filesystem::path& path,
                                                     std::string_view bytes) {
  make(path.parent_path());
  storage::write_file(path, std::as_bytes(std::span(bytes)));
  return path;
}

}  // namespace flashlm::inline FLASHLM_ABI::tools

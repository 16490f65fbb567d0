// SPDX-License-Identifier: Apache-2.0
/// papers_options.ipp: the bodies of papers_options.hpp.
#pragma once

#include "flashlm/tools/papers/papers_options.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <system_error>

#include "flashlm/storage/io/file.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

FLASHLM_INLINE PapersOptions PapersOptions::from_environment() {
  PapersOptions options;
  options.hub = endpoint("HF_ENDPOINT", options.hub);
  options.arxiv = endpoint("ARXIV_ENDPOINT", options.arxiv);
  const std::filesystem::path home = hf_home();
  options.token = token_of(home);
  const std::string assets = variable("HF_ASSETS_CACHE");
  options.cache = (assets.empty() ? home / "assets" : expanded(assets)) / "flashlm" / "papers";
  options.offline = flag("HF_HUB_OFFLINE") || flag("TRANSFORMERS_OFFLINE");
  const double patience = std::strtod(variable("HF_HUB_DOWNLOAD_TIMEOUT").c_str(), nullptr);
  if (patience > 0) options.http.stall_seconds = patience;
  return options;
}

FLASHLM_INLINE std::string PapersOptions::trimmed(std::string text) {
  constexpr const char* kBlank = " \t\r\n";
  text.erase(0, std::min(text.find_first_not_of(kBlank), text.size()));
  text.erase(text.find_last_not_of(kBlank) + 1);
  return text;
}

FLASHLM_INLINE std::string PapersOptions::variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : trimmed(value);
}

FLASHLM_INLINE bool PapersOptions::flag(const char* name) {
  std::string value = variable(name);
  for (char& c : value) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

FLASHLM_INLINE std::string PapersOptions::endpoint(const char* name, const std::string& fallback) {
  std::string value = variable(name);
  while (value.ends_with('/')) value.pop_back();
  return value.empty() ? fallback : value;
}

FLASHLM_INLINE std::filesystem::path PapersOptions::expanded(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  return std::filesystem::path(variable("HOME")) /
         path.substr(std::min<std::size_t>(2, path.size()));
}

FLASHLM_INLINE std::filesystem::path PapersOptions::hf_home() {
  const std::string chosen = variable("HF_HOME");
  if (!chosen.empty()) return expanded(chosen);
  const std::string caches = variable("XDG_CACHE_HOME");
  return (caches.empty() ? expanded("~/.cache") : expanded(caches)) / "huggingface";
}

FLASHLM_INLINE std::string PapersOptions::token_of(const std::filesystem::path& home) {
  constexpr std::uint64_t kLongest = 4096;
  const std::string given = variable("HF_TOKEN");
  if (!given.empty()) return given;
  if (flag("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return {};
  const std::string chosen = variable("HF_TOKEN_PATH");
  const std::filesystem::path path = chosen.empty() ? home / "token" : expanded(chosen);
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored)
             ? trimmed(storage::read_text(path, kLongest))
             : "";
}

}  // namespace flashlm::inline FLASHLM_ABI::tools

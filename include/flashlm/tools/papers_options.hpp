// SPDX-License-Identifier: Apache-2.0
/// papers_options.hpp: which hosts papers come from, and where they are kept; as the environment says.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "flashlm/storage/file.hpp"
#include "flashlm/tools/http_message.hpp"

namespace flashlm::inline v0::tools {

/// Where `Papers` asks and keeps.
struct PapersOptions {
  std::string hub = "https://huggingface.co";
  std::string arxiv = "https://export.arxiv.org";  // the host that arXiv has for programs
  std::string token{};                             // sent to `hub` only
  std::filesystem::path cache{};                   // a folder; made when something is put into it
  bool offline = false;                            // nothing is asked, what is in the cache is used however old it is
  double arxiv_interval_seconds = 3;               // from one request to the next, as arXiv asks
  double list_seconds = 600;                       // for which a list, a search or a paper's record counts as new
  std::uint64_t max_pdf_bytes = std::uint64_t{128} << 20;
  HttpOptions http{};  // limits and user agent of all requests

  /// Reads HF_ENDPOINT, ARXIV_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HOME,
  /// HF_ASSETS_CACHE, XDG_CACHE_HOME, HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT as
  /// huggingface_hub does. The cache is `assets/flashlm/papers` below HF_HOME.
  ///
  /// Throws IoError if there is a token file that cannot be read.
  static PapersOptions from_environment() {
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

 private:
  static std::string trimmed(std::string text) {
    constexpr const char* kBlank = " \t\r\n";
    text.erase(0, std::min(text.find_first_not_of(kBlank), text.size()));
    text.erase(text.find_last_not_of(kBlank) + 1);
    return text;
  }

  static std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : trimmed(value);
  }

  static bool flag(const char* name) {
    std::string value = variable(name);
    for (char& c : value) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
  }

  static std::string endpoint(const char* name, const std::string& fallback) {
    std::string value = variable(name);
    while (value.ends_with('/')) value.pop_back();
    return value.empty() ? fallback : value;
  }

  static std::filesystem::path expanded(const std::string& path) {
    if (path != "~" && !path.starts_with("~/")) return path;
    return std::filesystem::path(variable("HOME")) / path.substr(std::min<std::size_t>(2, path.size()));
  }

  static std::filesystem::path hf_home() {
    const std::string chosen = variable("HF_HOME");
    if (!chosen.empty()) return expanded(chosen);
    const std::string caches = variable("XDG_CACHE_HOME");
    return (caches.empty() ? expanded("~/.cache") : expanded(caches)) / "huggingface";
  }

  static std::string token_of(const std::filesystem::path& home) {
    constexpr std::uint64_t kLongest = 4096;
    const std::string given = variable("HF_TOKEN");
    if (!given.empty()) return given;
    if (flag("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return {};
    const std::string chosen = variable("HF_TOKEN_PATH");
    const std::filesystem::path path = chosen.empty() ? home / "token" : expanded(chosen);
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored) ? trimmed(storage::read_text(path, kLongest)) : "";
  }
};

}  // namespace flashlm::inline v0::tools

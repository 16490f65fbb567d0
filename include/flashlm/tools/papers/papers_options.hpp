// SPDX-License-Identifier: Apache-2.0
/// papers_options.hpp: which hosts papers come from, and where they are kept; as the environment
/// says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "flashlm/tools/http/http_message.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::tools {

/// Where `Papers` asks and keeps.
struct PapersOptions {
  std::string hub = "https://huggingface.co";
  std::string arxiv = "https://export.arxiv.org";  // the host that arXiv has for programs
  std::string token{};                             // sent to `hub` only
  std::filesystem::path cache{};                   // a folder; made when something is put into it
  bool offline = false;  // nothing is asked, what is in the cache is used however old it is
  double arxiv_interval_seconds = 3;  // from one request to the next, as arXiv asks
  double list_seconds = 600;  // for which a list, a search or a paper's record counts as new
  std::uint64_t max_pdf_bytes = std::uint64_t{128} << 20;
  HttpOptions http{};  // limits and user agent of all requests

  /// Reads HF_ENDPOINT, ARXIV_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN,
  /// HF_HOME, HF_ASSETS_CACHE, XDG_CACHE_HOME, HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE and
  /// HF_HUB_DOWNLOAD_TIMEOUT as huggingface_hub does. The cache is `assets/flashlm/papers` below
  /// HF_HOME.
  ///
  /// Throws IoError if there is a token file that cannot be read.
  static PapersOptions from_environment();

 private:
  static std::string trimmed(std::string text);

  static std::string variable(const char* name);

  static bool flag(const char* name);

  static std::string endpoint(const char* name, const std::string& fallback);

  static std::filesystem::path expanded(const std::string& path);

  static std::filesystem::path hf_home();

  static std::string token_of(const std::filesystem::path& home);
};

}  // namespace flashlm::inline FLASHLM_ABI::tools

#if !defined(FLASHLM_COMPILED)
#include "flashlm/tools/papers/papers_options.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// foreign_file.ipp: the bodies of foreign_file.hpp.
#pragma once

#include "flashlm/storage/io/foreign_file.hpp"

#include <algorithm>
#include <array>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

namespace detail {

struct Magic {
  std::string_view bytes;
  std::string_view what;
  std::string_view hint;
};

inline constexpr std::string_view kUnpack = "Unpack it first.";

inline constexpr std::string_view kResave =
    "Save the model again as safetensors; flashlm reads that and GGUF.";

inline constexpr std::string_view kOldGgml = "Convert the original model to GGUF.";

inline constexpr std::string_view kCutShort = "Was the download cut short?";

inline constexpr std::string_view kServer =
    "It is what a server said instead of the file. Download the file itself; where the hub asks "
    "for a login or for "
    "terms to be accepted, do that first (hf auth login).";

inline constexpr std::array<Magic, 16> kMagics{
    {{{"\x1f\x8b", 2}, "a gzip archive", kUnpack},
     {{"PK\x03\x04", 4},
      "a zip archive or a PyTorch file",
      "Unpack it, or save the model again as safetensors."},
     {{"\xfd\x37zXZ", 5}, "an xz archive", kUnpack},
     {{"\x28\xb5\x2f\xfd", 4}, "a zstd archive", kUnpack},
     {{"BZh", 3}, "a bzip2 archive", kUnpack},
     {{"7z\xbc\xaf", 4}, "a 7-zip archive", kUnpack},
     {{"Rar!", 4}, "a rar archive", kUnpack},
     {{"\x89HDF", 4}, "an HDF5 file", kResave},
     {{"\x93NUMPY", 6}, "a NumPy file", kResave},
     {{"\x80\x02", 2}, "a Python pickle", kResave},
     {{"\x80\x04", 2}, "a Python pickle", kResave},
     {{"%PDF", 4}, "a PDF", "Download the file itself."},
     {{"ggml", 4}, "an old GGML file", kOldGgml},
     {{"tjgg", 4}, "an old GGML file", kOldGgml},
     {{"lmgg", 4}, "an old GGML file", kOldGgml},
     {{"\xff\xfe", 2}, "a text in UTF-16", "Save it as UTF-8."}}};

/// What servers begin their JSON with where there is no file. No file of a model has such a first
/// key.
inline constexpr std::array<std::string_view, 12> kErrorKeys{
    "error",  "errors", "message", "detail",     "details",     "msg",
    "status", "code",   "success", "statusCode", "status_code", "timestamp"};

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Without a byte order mark and blanks.
constexpr std::string_view without_blanks(std::string_view text) noexcept {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

FLASHLM_ONCE bool begins(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(),
                                                    [](char a, char b) { return a == lower(b); });
}

/// The first line, or its first 60 bytes, between quotes; nothing if it has a byte that no text
/// has.
inline std::optional<std::string> quoted_line(std::string_view text) {
  constexpr std::size_t kShown = 60;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && !is_blank(c) && c != '\f') return std::nullopt;
  }
  text = text.substr(0, text.find_first_of("\r\n"));
  if (text.size() <= kShown) return concat("'", text, "'");
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;  // not within a character
  return concat("'", text.substr(0, end), "...'");
}

/// The first key of a JSON object that has one; else nothing.
inline std::string_view first_key(std::string_view text) noexcept {
  if (!text.starts_with('{')) return {};
  text = without_blanks(text.substr(1));
  if (!text.starts_with('"')) return {};
  text.remove_prefix(1);
  return text.substr(0, text.find('"'));
}

/// Whether JSON begins as the errors of servers do, and tells one.
inline bool is_error_body(std::string_view text) noexcept {
  const std::string_view first = first_key(text);
  if (std::find(kErrorKeys.begin(), kErrorKeys.end(), first) == kErrorKeys.end()) return false;
  for (const std::string_view key :
       {"\"error\"", "\"errors\"", "\"message\"", "\"detail\"", "\"details\"", "\"msg\""}) {
    const std::size_t at = text.find(key);
    if (at == std::string_view::npos) continue;
    std::string_view rest = without_blanks(text.substr(at + key.size()));
    if (!rest.starts_with(':')) continue;
    rest = without_blanks(rest.substr(1));
    if (rest.starts_with('"') || rest.starts_with('[')) return true;
  }
  return false;
}

inline std::string lfs_pointer(std::string_view begin) {
  constexpr std::string_view kSize = "\nsize ";
  const std::size_t at = begin.find(kSize);
  std::string size;
  if (at != std::string_view::npos) {
    for (std::size_t i = at + kSize.size(); i < begin.size() && begin[i] >= '0' && begin[i] <= '9';
         ++i)
      size += begin[i];
  }
  return size.empty() ? "a Git LFS pointer"
                      : concat("a Git LFS pointer to a file of ", size, " bytes");
}

}  // namespace detail

FLASHLM_ONCE std::optional<ForeignFile> foreign_file(std::string_view begin, FileKind expected) {
  if (begin.empty()) return ForeignFile{"an empty file", detail::kCutShort};
  begin = begin.substr(0, kForeignBytes);
  if (begin.find_first_not_of('\0') == std::string_view::npos) {
    return ForeignFile{
        "zeros", "The place for the file was made, and the file never came. Download it again."};
  }
  if (begin.starts_with("version https://git-lfs") || begin.starts_with("version https://hawser")) {
    return ForeignFile{detail::lfs_pointer(begin),
                       "Fetch the file itself with git lfs pull, or download it again."};
  }
  for (const detail::Magic& magic : detail::kMagics) {
    if (begin.starts_with(magic.bytes)) return ForeignFile{std::string(magic.what), magic.hint};
  }
  if (begin.size() > 262 && begin.substr(257, 5) == "ustar")
    return ForeignFile{"a tar archive", detail::kUnpack};
  const std::string_view text = detail::without_blanks(begin);
  for (const std::string_view tag : {"<!doctype", "<html", "<head", "<body"}) {
    if (detail::begins(text, tag)) return ForeignFile{"a web page", detail::kServer};
  }
  if (detail::begins(text, "<?xml") || detail::begins(text, "<error>")) {
    return ForeignFile{"an XML text", detail::kServer};
  }
  if (begin.starts_with("GGUF")) {
    if (expected == FileKind::gguf) return std::nullopt;
    return ForeignFile{"a GGUF file", "It is a whole model: pass it by itself."};
  }
  if (begin.starts_with("FLASHKV")) {
    if (expected == FileKind::kv) return std::nullopt;
    return ForeignFile{"a saved session", "LanguageModel.load_session opens it."};
  }
  if (expected != FileKind::safetensors && begin.size() > 8 && begin[8] == '{' &&
      begin.substr(4, 4) == std::string_view("\0\0\0\0", 4)) {
    return ForeignFile{
        "a safetensors file",
        "Pass the folder that holds it together with its config.json and tokenizer.json."};
  }
  const std::optional<std::string> line = detail::quoted_line(text);
  if (!line || expected == FileKind::text) return std::nullopt;
  if (detail::is_error_body(text)) {
    return ForeignFile{concat("an error in JSON, ", *line), detail::kServer};
  }
  if (text.starts_with('{') || text.starts_with('[')) {
    if (expected == FileKind::json) return std::nullopt;
    return ForeignFile{concat("a JSON text, ", *line), "Was another file meant?"};
  }
  return ForeignFile{text.empty() ? "blanks" : concat("a text, ", *line), detail::kServer};
}

FLASHLM_ONCE void refuse_foreign(std::string_view begin, FileKind expected, std::string_view where,
                                 std::string_view path) {
  const std::optional<ForeignFile> found = foreign_file(begin, expected);
  if (!found) return;
  throw FormatError(concat("[", where, "] file: expected ", name(expected), ", got ", found->what,
                           " (", path, "). ", found->hint));
}

FLASHLM_ONCE void refuse_foreign(std::span<const std::byte> begin, FileKind expected,
                                 std::string_view where, std::string_view path) {
  refuse_foreign(std::string_view(reinterpret_cast<const char*>(begin.data()), begin.size()),
                 expected, where, path);
}

}  // namespace flashlm::inline FLASHLM_ABI::storage

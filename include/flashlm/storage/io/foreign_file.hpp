// SPDX-License-Identifier: Apache-2.0
/// foreign_file.hpp: what a file is that stands where another was expected, by its first bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// What a file is expected to be. `text` is any text, such as a chat template.
enum class FileKind : std::uint8_t { json, text, safetensors, gguf, kv };

/// The words for it in messages.
constexpr std::string_view name(FileKind kind) noexcept {
  switch (kind) {
    case FileKind::json: return "a JSON file";
    case FileKind::text: return "a text";
    case FileKind::safetensors: return "a safetensors file";
    case FileKind::gguf: return "a GGUF file";
    case FileKind::kv: return "a saved session";
  }
  return "?";
}

/// What was found instead, and the way out.
struct ForeignFile {
  std::string what;       // "a Git LFS pointer"
  std::string_view hint;  // a sentence or two
};

namespace detail {

/// `prefix` is lower-case.
bool begins(std::string_view text, std::string_view prefix) noexcept;

}  // namespace detail

/// Bytes of a file that `foreign_file` wants to see; fewer only where the file has fewer.
inline constexpr std::size_t kForeignBytes = 512;

/// What a file is, by its first bytes, that is not as `expected`; nothing if they do not tell.
///
/// Ask it about a file that was refused: that a file is as expected is not checked here. (A JSON
/// object may be asked about at once: one that begins as the errors of servers do is no file of a
/// model.)
std::optional<ForeignFile> foreign_file(std::string_view begin, FileKind expected);

/// Throws a FormatError `[where] file: expected ..., got ... (path). Hint.` if `foreign_file` knows
/// what it is.
void refuse_foreign(std::string_view begin, FileKind expected, std::string_view where,
                    std::string_view path);

/// The same for bytes.
void refuse_foreign(std::span<const std::byte> begin, FileKind expected, std::string_view where,
                    std::string_view path);

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/io/foreign_file.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// decoder.hpp: the bytes that a token stands for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/storage/format/json.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// The `decoder` of a tokenizer.json: ByteLevel; Metaspace; or Replace of a string, ByteFallback,
/// Fuse and a Strip of what begins a text, in a Sequence. Thread-safe.
class Decoder {
 public:
  /// Throws FormatError for another kind.
  static Decoder parse(const storage::JsonField& field);

  /// True if tokens are written in GPT-2's alphabet.
  bool is_byte_level() const noexcept { return byte_level_; }

  /// The bytes of a token that is no added one. They do not depend on what stands around it.
  std::string bytes(std::string_view written) const;

  /// How much of a whole text's beginning goes: the space that the normalizer put there. `first`
  /// bytes of it are the first token's.
  std::size_t stripped(std::string_view text, std::size_t first) const noexcept;

 private:
  void add(const storage::JsonField& field, int depth);

  bool byte_level_ = false;
  bool byte_fallback_ = false;
  std::vector<std::pair<std::string, std::string>> replacements_;
  std::string strip_;  // what goes at the beginning
  std::size_t strip_times_ = 0;
  bool strips_first_ = false;  // only of the first token
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/decoder.ipp"
#endif

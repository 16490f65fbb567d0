// SPDX-License-Identifier: Apache-2.0
/// normalizer.hpp: what a tokenizer makes of a text before it looks for words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/storage/format/json.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Unicode's normal form C (UAX 15) of well-formed UTF-8: marks are ordered, and joined with what
/// they stand on where one character says both.
std::string nfc(std::string_view text);

/// The `normalizer` of a tokenizer.json: NFC, Prepend, Replace of a string, Strip, and Sequences of
/// them. Thread-safe.
class Normalizer {
 public:
  /// Reads it; null is none. Throws FormatError for another kind.
  static Normalizer parse(const storage::JsonField& field);

  bool is_identity() const noexcept { return steps_.empty(); }

  /// The normal form of a piece of text, which is well-formed UTF-8.
  std::string run(std::string_view text) const;

 private:
  struct Step {
    enum class Kind : std::uint8_t { nfc, prepend, replace, strip };
    Kind kind;
    std::string from = {};             // of replace
    std::string to = {};               // of replace and prepend
    bool left = false, right = false;  // of strip
  };

  void add(const storage::JsonField& field, int depth);

  std::vector<Step> steps_;
};

/// `text` with each `from`, which is not empty, replaced by `to`, from left to right.
std::string replaced(std::string_view text, std::string_view from, std::string_view to);

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/normalizer.ipp"
#endif

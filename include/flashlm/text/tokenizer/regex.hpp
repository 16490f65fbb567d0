// SPDX-License-Identifier: Apache-2.0
/// regex.hpp: the regular expressions that cut text into words.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/text/unicode/unicode.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// As much of a regex as pre-tokenizers use, with the meaning that `tokenizers` gives it (Oniguruma
/// with Ruby's syntax), character by character:
///
///     alternatives and groups   a|b (?:...) (?i:...) (?=...) (?!...)
///     classes                   [a-z\s\p{L}] [^...] \s \S \d \p{Lu} \P{N} .
///     repetition                ? * + {n} {n,} {n,m}, possessive with one more + behind ? * +
///     places                    ^ $ (of a line)
///
/// A match is the first in the order of the alternatives. Repetitions of one class take no memory
/// for each character. Immutable, thread-safe.
class Regex {
 public:
  /// Throws ArgumentError for what is not in the table above.
  explicit Regex(std::string_view pattern);

  /// The end of the match that begins at byte `begin` of `text`, which is well-formed UTF-8.
  std::optional<std::size_t> match(std::string_view text, std::size_t begin) const;

 private:
  /// A class of characters.
  struct Set {
    bool has(char32_t code) const noexcept;
    /// Without the table for ASCII, which `close` fills.
    bool slow_has(char32_t code) const noexcept;
    void close();

    std::vector<std::pair<char32_t, char32_t>> ranges;  // closed
    Categories categories = 0;
    bool spaces = false, not_spaces = false;
    bool negated = false;
    std::bitset<128> ascii;
  };

  struct Op {
    enum class Kind : std::uint8_t {
      repeat,  // `set`, from `least` to `most` times
      branch,  // goes on behind this; if that fails, at `target`
      jump,    // to `target`
      ahead,   // a match up to its `accept` must be (or not be) here; goes on at `target`
      begin,   // of a line
      end,     // of a line
      accept,
    };
    Kind kind;
    std::size_t set = 0;
    std::size_t least = 1, most = 1;
    bool possessive = false;  // repeat: never gives back
    bool wanted = true;       // ahead
    std::size_t target = 0;
  };

  /// Where to go on when a way fails: at `op`, from `at`; a repetition gives back down to `least`.
  struct Way {
    std::size_t op;
    std::size_t at;
    std::size_t least;
  };

  class Parser;

  std::optional<std::size_t> run(std::size_t op, std::string_view text, std::size_t at) const;

  std::vector<Set> sets_;
  std::vector<Op> ops_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/tokenizer/regex.ipp"
#endif

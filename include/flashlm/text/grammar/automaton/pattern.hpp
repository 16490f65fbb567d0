// SPDX-License-Identifier: Apache-2.0
/// pattern.hpp: reads a subset of ECMA's regular expressions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/text/unicode/code_points.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// What a class such as \w holds where readers differ about characters beyond ASCII: what all of
/// them agree on, or what one of them takes.
enum class PatternReading { certain, possible };

/// A regular expression (ECMA-262, section 22.2) as a tree. Known are
///
///   - characters, `.`, classes with ranges and negation, \d \w \s \D \W \S, \t \n \v \f \r \0 \xHH
///   \uHHHH \u{H};
///   - groups `( )`, `(?: )`, `(?<name> )`, alternatives `|`, the anchors `^` and `$`;
///   - the quantifiers `*`, `+`, `?`, `{m}`, `{m,}`, `{m,n}`, also with `?` behind, which changes
///   no language.
class Pattern {
 public:
  using Id = std::uint32_t;

  static constexpr std::uint32_t kEndless = std::numeric_limits<std::uint32_t>::max();

  struct Part {
    enum class Kind : std::uint8_t {
      characters,
      sequence,
      either,
      repeat,
      begin,
      end
    } kind = Kind::sequence;
    CodePoints set{};         // characters
    std::vector<Id> parts{};  // sequence, either; of repeat the one that is repeated
    std::uint32_t least = 0;  // repeat
    std::uint32_t most = 0;   // repeat
  };

  /// Throws FormatError for what it does not know.
  explicit Pattern(std::string_view text, PatternReading reading = PatternReading::certain);

  const Part& part(Id id) const noexcept { return parts_[id]; }
  Id root() const noexcept { return root_; }

 private:
  static constexpr int kDeepest = 64;
  static constexpr std::uint32_t kMostRounds = 4'096;

  [[noreturn]] void refuse(std::string_view problem) const;

  Id add(Part part);

  bool is_next(std::string_view word) const { return text_.substr(at_).starts_with(word); }
  bool take(std::string_view word);

  /// Alternatives up to ')' or the end of the text.
  Id read_alternatives(int depth);

  /// An atom and its quantifier.
  Id read_term(int depth);

  bool is_quantifier() const;

  std::pair<std::uint32_t, std::uint32_t> read_quantifier();

  /// {m}, {m,} or {m,n} at `at`, which is moved behind it; other braces are characters.
  bool bounds(std::size_t& at, std::pair<std::uint32_t, std::uint32_t>& rounds) const;

  Id read_atom(int depth);

  CodePoints read_set();

  char32_t read_character();

  CodePoints read_class();

  bool is_shorthand() const;

  CodePoints read_member(bool negated);

  /// `negated`: what is read is taken away from something.
  CodePoints read_escape(bool in_class, bool negated);

  char32_t read_escaped_character(bool in_class);

  char32_t read_hex(std::size_t digits);

  std::string_view text_;
  PatternReading reading_;
  std::size_t at_ = 0;
  std::vector<Part> parts_;
  Id root_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/automaton/pattern.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// pattern_places.hpp: the places that a text passes while a pattern is looked for in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "flashlm/text/grammar/automaton/pattern.hpp"
#include "flashlm/text/unicode/code_points.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A pattern as a graph (Thompson's construction). It matches anywhere in a text unless anchors say
/// otherwise.
class PatternPlaces {
 public:
  using Place = std::uint32_t;
  using Set = std::vector<Place>;  // sorted; those that read a character or wait for the end

  /// Throws FormatError for a pattern that is too long when its repetitions are written out.
  PatternPlaces(const Pattern& pattern, PatternReading reading);

  /// Where a text begins.
  Set start() const { return closure({kStart}, true, false); }

  /// Where the places of `from` lead with a character.
  Set step(const Set& from, char32_t point) const;

  /// Whether a text that ends at these places holds the pattern; `at_begin`: it is empty.
  bool matches(const Set& places, bool at_begin) const;

  /// All sets of characters that edges name.
  const std::vector<CodePoints>& sets() const noexcept { return sets_; }

 private:
  /// A way to another place: for nothing, only where the text begins or ends, or for a character.
  struct Edge {
    enum class Kind : std::uint8_t { free, at_begin, at_end, character } kind = Kind::free;
    std::uint32_t set = 0;
    Place to = 0;
  };

  static constexpr Place kStart = 0;
  static constexpr Place kMatched = 1;
  static constexpr std::size_t kMostPlaces = 20'000;

  Place new_place();

  void connect(Place from, Place to, Edge::Kind kind) { edges_[from].push_back({kind, 0, to}); }
  void connect(Place from, Place to, const CodePoints& set);

  /// Builds a part from a place on, and returns where it ends.
  Place build(const Pattern& pattern, Pattern::Id id, Place from);

  void build_end(Place from, Place to);

  void build_repeat(const Pattern& pattern, const Pattern::Part& part, Place from, Place to);

  /// The places that `places` reach without a character and that matter.
  Set closure(std::vector<Place> places, bool at_begin, bool at_end) const;

  PatternReading reading_;
  std::vector<std::vector<Edge>> edges_;
  std::vector<CodePoints> sets_;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/automaton/pattern_places.ipp"
#endif

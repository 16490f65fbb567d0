// SPDX-License-Identifier: Apache-2.0
/// pattern_places.hpp: the places that a text passes while a pattern is looked for in it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/text/code_points.hpp"
#include "flashlm/text/pattern.hpp"

namespace flashlm::inline v0::text {

/// A pattern as a graph (Thompson's construction). It matches anywhere in a text unless anchors say otherwise.
class PatternPlaces {
 public:
  using Place = std::uint32_t;
  using Set = std::vector<Place>;  // sorted; those that read a character or wait for the end

  /// Throws FormatError for a pattern that is too long when its repetitions are written out.
  PatternPlaces(const Pattern& pattern, PatternReading reading) : reading_(reading), edges_(2) {
    connect(kStart, kStart, CodePoints::all());
    const Place first = new_place();
    connect(kStart, first, Edge::Kind::free);
    connect(build(pattern, pattern.root(), first), kMatched, Edge::Kind::free);
    connect(kMatched, kMatched, CodePoints::all());
  }

  /// Where a text begins.
  Set start() const { return closure({kStart}, true, false); }

  /// Where the places of `from` lead with a character.
  Set step(const Set& from, char32_t point) const {
    std::vector<Place> reached;
    for (const Place place : from) {
      for (const Edge& edge : edges_[place]) {
        if (edge.kind == Edge::Kind::character && sets_[edge.set].contains(point)) reached.push_back(edge.to);
      }
    }
    return closure(std::move(reached), false, false);
  }

  /// Whether a text that ends at these places holds the pattern; `at_begin`: it is empty.
  bool matches(const Set& places, bool at_begin) const {
    const Set ends = closure(places, at_begin, true);
    return std::binary_search(ends.begin(), ends.end(), kMatched);
  }

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

  Place new_place() {
    if (edges_.size() >= kMostPlaces) throw FormatError("[pattern] expected a shorter one: its repetitions are many");
    edges_.emplace_back();
    return static_cast<Place>(edges_.size() - 1);
  }

  void connect(Place from, Place to, Edge::Kind kind) { edges_[from].push_back({kind, 0, to}); }
  void connect(Place from, Place to, const CodePoints& set) {
    const auto found = std::find(sets_.begin(), sets_.end(), set);
    const auto id = static_cast<std::uint32_t>(found - sets_.begin());
    if (found == sets_.end()) sets_.push_back(set);
    edges_[from].push_back({Edge::Kind::character, id, to});
  }

  /// Builds a part from a place on, and returns where it ends.
  Place build(const Pattern& pattern, Pattern::Id id, Place from) {
    using Kind = Pattern::Part::Kind;
    const Pattern::Part& part = pattern.part(id);
    const Place to = new_place();
    switch (part.kind) {
      case Kind::characters: connect(from, to, part.set); break;
      case Kind::begin: connect(from, to, Edge::Kind::at_begin); break;
      case Kind::end: build_end(from, to); break;
      case Kind::repeat: build_repeat(pattern, part, from, to); break;
      case Kind::sequence:
        for (const Pattern::Id each : part.parts) from = build(pattern, each, from);
        connect(from, to, Edge::Kind::free);
        break;
      case Kind::either:
        for (const Pattern::Id each : part.parts) connect(build(pattern, each, from), to, Edge::Kind::free);
        break;
    }
    return to;
  }

  void build_end(Place from, Place to) {
    connect(from, to, Edge::Kind::at_end);
    if (reading_ == PatternReading::certain) return;
    const Place behind = new_place();  // some readers let a line feed follow
    connect(from, behind, CodePoints{{'\n', '\n'}});
    connect(behind, to, Edge::Kind::at_end);
  }

  void build_repeat(const Pattern& pattern, const Pattern::Part& part, Place from, Place to) {
    for (std::uint32_t round = 0; round < part.least; ++round) from = build(pattern, part.parts.front(), from);
    if (part.most == Pattern::kEndless) {
      const Place loop = new_place();
      connect(from, loop, Edge::Kind::free);
      connect(build(pattern, part.parts.front(), loop), loop, Edge::Kind::free);
      from = loop;
    }
    for (std::uint32_t round = part.least; part.most != Pattern::kEndless && round < part.most; ++round) {
      connect(from, to, Edge::Kind::free);
      from = build(pattern, part.parts.front(), from);
    }
    connect(from, to, Edge::Kind::free);
  }

  /// The places that `places` reach without a character and that matter.
  Set closure(std::vector<Place> places, bool at_begin, bool at_end) const {
    std::vector<bool> seen(edges_.size());
    Set result;
    for (const Place place : places) seen[place] = true;
    while (!places.empty()) {
      const Place place = places.back();
      places.pop_back();
      bool matters = place == kMatched;
      for (const Edge& edge : edges_[place]) {
        matters = matters || edge.kind == Edge::Kind::character || edge.kind == Edge::Kind::at_end;
        const bool is_open = edge.kind == Edge::Kind::free || (edge.kind == Edge::Kind::at_begin && at_begin) ||
                             (edge.kind == Edge::Kind::at_end && at_end);
        if (!is_open || seen[edge.to]) continue;
        seen[edge.to] = true;
        places.push_back(edge.to);
      }
      if (matters) result.push_back(place);
    }
    std::sort(result.begin(), result.end());
    // What is found stays found: nothing else matters then, and states are fewer.
    if (std::binary_search(result.begin(), result.end(), kMatched)) return {kMatched};
    return result;
  }

  PatternReading reading_;
  std::vector<std::vector<Edge>> edges_;
  std::vector<CodePoints> sets_;
};

}  // namespace flashlm::inline v0::text

// SPDX-License-Identifier: Apache-2.0
/// pattern_places.ipp: the bodies of pattern_places.hpp.
#pragma once

#include "flashlm/text/grammar/automaton/pattern_places.hpp"

#include <algorithm>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE PatternPlaces::PatternPlaces(const Pattern& pattern, PatternReading reading)
    : reading_(reading), edges_(2) {
  connect(kStart, kStart, CodePoints::all());
  const Place first = new_place();
  connect(kStart, first, Edge::Kind::free);
  connect(build(pattern, pattern.root(), first), kMatched, Edge::Kind::free);
  connect(kMatched, kMatched, CodePoints::all());
}

FLASHLM_INLINE PatternPlaces::Set PatternPlaces::step(const Set& from, char32_t point) const {
  std::vector<Place> reached;
  for (const Place place : from) {
    for (const Edge& edge : edges_[place]) {
      if (edge.kind == Edge::Kind::character && sets_[edge.set].contains(point))
        reached.push_back(edge.to);
    }
  }
  return closure(std::move(reached), false, false);
}

FLASHLM_INLINE bool PatternPlaces::matches(const Set& places, bool at_begin) const {
  const Set ends = closure(places, at_begin, true);
  return std::binary_search(ends.begin(), ends.end(), kMatched);
}

FLASHLM_INLINE PatternPlaces::Place PatternPlaces::new_place() {
  if (edges_.size() >= kMostPlaces)
    throw FormatError("[pattern] expected a shorter one: its repetitions are many");
  edges_.emplace_back();
  return static_cast<Place>(edges_.size() - 1);
}

FLASHLM_INLINE void PatternPlaces::connect(Place from, Place to, const CodePoints& set) {
  const auto found = std::find(sets_.begin(), sets_.end(), set);
  const auto id = static_cast<std::uint32_t>(found - sets_.begin());
  if (found == sets_.end()) sets_.push_back(set);
  edges_[from].push_back({Edge::Kind::character, id, to});
}

FLASHLM_INLINE PatternPlaces::Place PatternPlaces::build(const Pattern& pattern, Pattern::Id id,
                                                         Place from) {
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
      for (const Pattern::Id each : part.parts)
        connect(build(pattern, each, from), to, Edge::Kind::free);
      break;
  }
  return to;
}

FLASHLM_INLINE void PatternPlaces::build_end(Place from, Place to) {
  connect(from, to, Edge::Kind::at_end);
  if (reading_ == PatternReading::certain) return;
  const Place behind = new_place();  // some readers let a line feed follow
  connect(from, behind, CodePoints{{'\n', '\n'}});
  connect(behind, to, Edge::Kind::at_end);
}

FLASHLM_INLINE void PatternPlaces::build_repeat(const Pattern& pattern, const Pattern::Part& part,
                                                Place from, Place to) {
  for (std::uint32_t round = 0; round < part.least; ++round)
    from = build(pattern, part.parts.front(), from);
  if (part.most == Pattern::kEndless) {
    const Place loop = new_place();
    connect(from, loop, Edge::Kind::free);
    connect(build(pattern, part.parts.front(), loop), loop, Edge::Kind::free);
    from = loop;
  }
  for (std::uint32_t round = part.least; part.most != Pattern::kEndless && round < part.most;
       ++round) {
    connect(from, to, Edge::Kind::free);
    from = build(pattern, part.parts.front(), from);
  }
  connect(from, to, Edge::Kind::free);
}

FLASHLM_INLINE PatternPlaces::Set PatternPlaces::closure(std::vector<Place> places, bool at_begin,
                                                         bool at_end) const {
  std::vector<bool> seen(edges_.size());
  Set result;
  for (const Place place : places) seen[place] = true;
  while (!places.empty()) {
    const Place place = places.back();
    places.pop_back();
    bool matters = place == kMatched;
    for (const Edge& edge : edges_[place]) {
      matters = matters || edge.kind == Edge::Kind::character || edge.kind == Edge::Kind::at_end;
      const bool is_open = edge.kind == Edge::Kind::free ||
                           (edge.kind == Edge::Kind::at_begin && at_begin) ||
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

}  // namespace flashlm::inline FLASHLM_ABI::text

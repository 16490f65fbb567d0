// SPDX-License-Identifier: Apache-2.0
/// pattern_states.ipp: the bodies of pattern_states.hpp.
#pragma once

#include "flashlm/text/grammar/automaton/pattern_states.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"
#include "flashlm/text/grammar/automaton/pattern_places.hpp"
#include "flashlm/text/unicode/utf8.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE PatternStates PatternStates::of_pattern(std::string_view pattern,
                                                       PatternReading reading) {
  const PatternPlaces places{Pattern(pattern, reading), reading};
  PatternStates result;
  result.split(places.sets());
  std::map<PatternPlaces::Set, State> known;
  std::vector<PatternPlaces::Set> sets;
  const auto add = [&](const PatternPlaces::Set& set, bool at_begin) {
    result.add_state(places.matches(set, at_begin));
    sets.push_back(set);
    return static_cast<State>(sets.size() - 1);
  };
  add(places.start(), true);  // no other state is this one: only here a text begins
  std::size_t work = 0;
  for (std::size_t at = 0; at < sets.size(); ++at) {
    const PatternPlaces::Set from = sets[at];
    for (std::size_t each = 0; each < result.starts_.size(); ++each) {
      if ((work += from.size() + 16) > kMostWork) refuse();
      const PatternPlaces::Set to = places.step(from, result.starts_[each]);
      if (to.empty()) continue;
      auto found = known.find(to);
      if (found == known.end()) found = known.emplace(to, add(to, false)).first;
      result.table_[at * result.starts_.size() + each] = found->second;
    }
  }
  return result.trimmed();
}

FLASHLM_INLINE PatternStates PatternStates::of_length(std::uint64_t least, std::uint64_t most) {
  PatternStates result;
  result.split({});
  const std::uint64_t last = most == kEndless ? least : most;
  if (last >= kMostStates) refuse();
  for (std::uint64_t length = 0; length <= last; ++length) {
    result.add_state(length >= least);
    const bool is_last = length == last;
    result.table_.back() = !is_last           ? static_cast<State>(length + 1)
                           : most == kEndless ? static_cast<State>(last)
                                              : kDead;
  }
  return result.trimmed();
}

FLASHLM_INLINE PatternStates PatternStates::of_words(const std::vector<std::string>& words) {
  std::vector<CodePoints> sets;
  for (const std::string& word : words) {
    for (const char32_t each : characters(word)) sets.push_back({{each, each}});
  }
  PatternStates result;
  result.split(sets);
  result.add_state(false);
  for (const std::string& word : words) {
    State at = 0;
    for (const char32_t each : characters(word)) {
      const std::size_t cell = at * result.starts_.size() + result.class_of(each);
      if (result.table_[cell] == kDead) {
        const auto added = static_cast<State>(result.accepts_.size());
        result.add_state(false);
        result.table_[cell] = added;
      }
      at = result.table_[cell];
    }
    result.accepts_[at] = true;
  }
  return result.trimmed();
}

FLASHLM_INLINE PatternStates PatternStates::both(const PatternStates& left,
                                                 const PatternStates& right) {
  PatternStates result;
  result.starts_ = left.starts_;
  result.starts_.insert(result.starts_.end(), right.starts_.begin(), right.starts_.end());
  std::sort(result.starts_.begin(), result.starts_.end());
  result.starts_.erase(std::unique(result.starts_.begin(), result.starts_.end()),
                       result.starts_.end());
  std::map<std::pair<State, State>, State> known;
  std::vector<std::pair<State, State>> waiting;
  const auto state_of = [&](State one, State other) {
    if (one == kDead || other == kDead) return kDead;
    const auto [found, is_new] =
        known.try_emplace({one, other}, static_cast<State>(waiting.size()));
    if (is_new) {
      waiting.emplace_back(one, other);
      result.add_state(left.accepts_[one] && right.accepts_[other]);
    }
    return found->second;
  };
  if (!left.accepts_.empty() && !right.accepts_.empty()) state_of(0, 0);
  for (std::size_t at = 0; at < waiting.size(); ++at) {
    const auto [one, other] = waiting[at];
    for (std::size_t each = 0; each < result.starts_.size(); ++each) {
      const char32_t point = result.starts_[each];
      const State to = state_of(left.next(one, point), right.next(other, point));
      result.table_[at * result.starts_.size() + each] = to;
    }
  }
  return result.trimmed();
}

FLASHLM_INLINE PatternStates PatternStates::complement() const {
  PatternStates result = *this;
  if (result.starts_.empty()) result.split({});
  if (result.accepts_.empty()) result.add_state(false);
  const auto rest = static_cast<State>(result.accepts_.size());
  result.add_state(false);
  std::replace(result.table_.begin(), result.table_.end(), kDead, rest);
  result.accepts_.flip();
  return result.trimmed();
}

FLASHLM_INLINE bool PatternStates::contains(std::string_view text) const {
  State at = empty() ? kDead : 0;
  for (const char32_t each : characters(text)) {
    if (at != kDead) at = next(at, each);
  }
  return accepts(at);
}

FLASHLM_INLINE std::map<PatternStates::State, CodePoints> PatternStates::steps(State state) const {
  std::map<State, CodePoints> result;
  for (std::size_t each = 0; each < starts_.size(); ++each) {
    const State to = table_[state * starts_.size() + each];
    const char32_t last = each + 1 < starts_.size() ? starts_[each + 1] - 1 : CodePoints::kLargest;
    if (to != kDead) result[to].add({{starts_[each], last}});
  }
  return result;
}

FLASHLM_INLINE std::pair<std::uint64_t, std::uint64_t> PatternStates::lengths() const {
  std::vector<std::uint64_t> least(size(), kEndless);
  std::vector<std::uint64_t> most(size(), 0);
  std::vector<std::size_t> before(size(), 0);  // steps that lead to a state
  for (const State to : table_) {
    if (to != kDead) ++before[to];
  }
  std::pair<std::uint64_t, std::uint64_t> result = {kEndless, 0};
  const auto steps_from = [&](State state, const auto& visit) {
    for (std::size_t each = 0; each < starts_.size(); ++each) {
      const State to = table_[state * starts_.size() + each];
      if (to != kDead) visit(to);
    }
  };
  std::vector<State> order = {0};  // breadth first: the nearest end
  least[0] = 0;
  for (std::size_t at = 0; at < order.size(); ++at) {
    if (accepts_[order[at]]) result.first = std::min(result.first, least[order[at]]);
    steps_from(order[at], [&](State to) {
      if (least[to] != kEndless) return;
      least[to] = least[order[at]] + 1;
      order.push_back(to);
    });
  }
  std::vector<State> ready;  // all that leads to them is known: the farthest end
  if (before[0] == 0) ready.push_back(0);
  for (std::size_t at = 0; at < ready.size(); ++at) {
    if (accepts_[ready[at]]) result.second = std::max(result.second, most[ready[at]]);
    steps_from(ready[at], [&](State to) {
      most[to] = std::max(most[to], most[ready[at]] + 1);
      if (--before[to] == 0) ready.push_back(to);
    });
  }
  if (ready.size() < size()) result.second = kEndless;  // there is a circle
  return result;
}

FLASHLM_INLINE void PatternStates::refuse() {
  throw FormatError(concat("[pattern] expected at most ", kMostStates, " states, got more"));
}

FLASHLM_INLINE std::vector<char32_t> PatternStates::characters(std::string_view text) {
  std::vector<char32_t> result;
  while (!text.empty()) {
    const Utf8Step step = utf8_step(text);
    result.push_back(step.code);
    text.remove_prefix(step.length);
  }
  return result;
}

FLASHLM_INLINE void PatternStates::split(const std::vector<CodePoints>& sets) {
  starts_ = {0};
  for (const CodePoints& set : sets) {
    for (const CodePoints::Range& range : set.ranges()) {
      starts_.push_back(range.first);
      if (range.last < CodePoints::kLargest) starts_.push_back(range.last + 1);
    }
  }
  std::sort(starts_.begin(), starts_.end());
  starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
}

FLASHLM_INLINE std::size_t PatternStates::class_of(char32_t point) const {
  return static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), point) -
                                  starts_.begin()) -
         1;
}

FLASHLM_INLINE void PatternStates::add_state(bool accepts) {
  if (accepts_.size() >= kMostStates || table_.size() > (std::size_t{1} << 20)) refuse();
  accepts_.push_back(accepts);
  table_.resize(accepts_.size() * starts_.size(), kDead);
}

FLASHLM_INLINE PatternStates PatternStates::trimmed() const {
  std::vector<std::vector<State>> from(size());
  for (State state = 0; state < size(); ++state) {
    for (std::size_t each = 0; each < starts_.size(); ++each) {
      const State to = table_[state * starts_.size() + each];
      if (to != kDead) from[to].push_back(state);
    }
  }
  std::vector<State> waiting;
  std::vector<bool> lives(size());
  for (State state = 0; state < size(); ++state) {
    if (accepts_[state]) waiting.push_back(state), lives[state] = true;
  }
  while (!waiting.empty()) {
    const State state = waiting.back();
    waiting.pop_back();
    for (const State before : from[state]) {
      if (!lives[before]) waiting.push_back(before), lives[before] = true;
    }
  }
  PatternStates result;
  result.starts_ = starts_;
  if (size() == 0 || !lives[0]) return result;
  std::vector<State> renamed(size(), kDead);
  for (State state = 0; state < size(); ++state) {
    if (!lives[state]) continue;
    renamed[state] = static_cast<State>(result.size());
    result.add_state(accepts_[state]);
  }
  for (State state = 0; state < size(); ++state) {
    for (std::size_t each = 0; lives[state] && each < starts_.size(); ++each) {
      const State to = table_[state * starts_.size() + each];
      result.table_[renamed[state] * starts_.size() + each] = to == kDead ? kDead : renamed[to];
    }
  }
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::text

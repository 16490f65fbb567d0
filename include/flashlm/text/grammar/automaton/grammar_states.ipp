// SPDX-License-Identifier: Apache-2.0
/// grammar_states.ipp: the bodies of grammar_states.hpp.
#pragma once

#include "flashlm/text/grammar/automaton/grammar_states.hpp"

#include <algorithm>

#include "flashlm/text/grammar/automaton/grammar_shortest.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE GrammarStates::GrammarStates(const GrammarRules& rules)
    : rules_(&rules), n_classes_(rules.n_classes()) {
  clear();
  start_ = intern(closure({{rules.start(), 0, 0}}));
}

FLASHLM_INLINE GrammarStates::State GrammarStates::next(State state, unsigned char byte) {
  const std::uint32_t byte_class = rules_->byte_class(byte);
  const State known = table_[state * n_classes_ + byte_class];
  return known != kUnknown ? known : step(state, byte_class);
}

FLASHLM_INLINE std::uint32_t GrammarStates::kind(State state, std::uint64_t length) {
  const Closure& closure = states_[state];
  std::vector<Place> key;
  for (const Place& place : closure.places)
    key.push_back({place.node, frame_kind(place.frame, length)});
  bytes_ += key.size() * sizeof(Place) + 2 * kNodeBytes;  // and what frame_kind keeps
  return kinds_
      .try_emplace({std::move(key), closure.may_end}, static_cast<std::uint32_t>(kinds_.size()))
      .first->second;
}

FLASHLM_INLINE int GrammarStates::forced(State state) const noexcept {
  if (may_end(state)) return -1;
  ByteSet bytes;
  for (const Place& place : states_[state].places) bytes |= rules_->set(rules_->entry(place.node));
  if (bytes.count() != 1) return -1;
  int byte = 0;
  while (!bytes.test(static_cast<std::size_t>(byte))) ++byte;
  return byte;
}

FLASHLM_INLINE std::string GrammarStates::shortest(State state, const ByteSet& usable) const {
  const Closure& from = states_[state];
  if (state == kDead || from.may_end || from.places.empty()) return {};
  const auto is_nearer = [&](const Place& left, const Place& right) {
    return cost(left) < cost(right);
  };
  const auto nearest = std::min_element(from.places.begin(), from.places.end(), is_nearer);
  std::vector<GrammarWaiting> waiting;
  for (std::uint32_t frame = nearest->frame; frame != 0; frame = frames_[frame].parent)
    waiting.push_back({frames_[frame].node, frames_[frame].done});
  std::reverse(waiting.begin(), waiting.end());
  return shortest_text(*rules_, nearest->node, std::move(waiting), usable);
}

FLASHLM_INLINE GrammarStates::State GrammarStates::forget_all_but(State state) {
  const std::vector<Place> places = states_[state].places;
  const bool may_end = states_[state].may_end;
  const std::vector<Frame> frames = std::move(frames_);
  clear();
  Closure kept;
  kept.may_end = may_end;
  std::unordered_map<std::uint32_t, std::uint32_t> renamed = {{0, 0}};
  for (const Place& place : places) {
    std::vector<std::uint32_t> path;
    for (std::uint32_t frame = place.frame; !renamed.contains(frame); frame = frames[frame].parent)
      path.push_back(frame);
    for (; !path.empty(); path.pop_back()) {
      const Frame& frame = frames[path.back()];
      renamed[path.back()] = push(frame.node, frame.done, renamed.at(frame.parent));
    }
    kept.places.push_back({place.node, renamed.at(place.frame)});
  }
  const State result = intern(std::move(kept));
  start_ = kDead;
  return result;
}

FLASHLM_INLINE std::size_t GrammarStates::Hash::mix(std::size_t seed, std::size_t value) noexcept {
  return (seed ^ value) * 0x9E3779B97F4A7C15u + (seed >> 29);
}

FLASHLM_INLINE std::size_t GrammarStates::Hash::operator()(
    const std::tuple<Node, std::uint64_t, std::uint32_t>& key) const noexcept {
  return mix(mix(mix(1, std::get<0>(key)), std::get<1>(key)), std::get<2>(key));
}

FLASHLM_INLINE std::size_t GrammarStates::Hash::operator()(
    const std::pair<std::vector<Place>, bool>& key) const noexcept {
  std::size_t hash = key.second ? 3 : 5;
  for (const Place& place : key.first) hash = mix(mix(hash, place.node), place.frame);
  return hash;
}

FLASHLM_INLINE void GrammarStates::clear() {
  bytes_ = 0;
  frames_.assign(1, {});
  frame_ids_.clear();
  states_.clear();
  state_ids_.clear();
  kinds_.clear();
  frame_kind_ids_.clear();
  frame_kinds_.assign(1, 0);
  table_.clear();
  intern({});  // kDead
}

FLASHLM_INLINE std::uint32_t GrammarStates::push(Node node, std::uint64_t done,
                                                 std::uint32_t parent) {
  const auto [found, is_new] =
      frame_ids_.try_emplace({node, done, parent}, static_cast<std::uint32_t>(frames_.size()));
  if (is_new) {
    const GrammarRules::Entry& entry = rules_->entry(node);
    const Cost own =
        entry.kind == Kind::call ? rules_->cost(entry.next) : rules_->loop_cost(entry, done);
    frames_.push_back({node, done, parent, GrammarRules::plus(own, frames_[parent].after)});
    bytes_ += sizeof(Frame) + kNodeBytes;
  }
  return found->second;
}

FLASHLM_INLINE std::uint32_t GrammarStates::frame_kind(std::uint32_t frame, std::uint64_t length) {
  while (frame_kinds_.size() <= frame) {  // a parent is older than its frames
    const Frame& at = frames_[frame_kinds_.size()];
    const GrammarRules::Entry& entry = rules_->entry(at.node);
    std::uint64_t rounds = 0;
    if (entry.kind == Kind::loop) {
      const std::uint64_t least =
          entry.least > at.done ? std::min(entry.least - at.done, length + 1) : 0;
      const bool endless = entry.most == GrammarRules::kNoLimit;
      rounds = least * (length + 2) +
               (endless ? length + 1 : std::min(entry.most - at.done, length + 1));
    }
    const auto next = static_cast<std::uint32_t>(frame_kind_ids_.size() + 1);
    frame_kinds_.push_back(
        frame_kind_ids_.try_emplace({at.node, rounds, frame_kinds_[at.parent]}, next)
            .first->second);
  }
  return frame_kinds_[frame];
}

FLASHLM_INLINE GrammarStates::State GrammarStates::intern(Closure closure) {
  const auto [found, is_new] =
      state_ids_.try_emplace({closure.places, closure.may_end}, static_cast<State>(states_.size()));
  if (is_new) {
    closure.to_end = closure.may_end ? 0 : GrammarRules::kNever;
    for (const Place& place : closure.places)
      closure.to_end = std::min(closure.to_end, cost(place));
    bytes_ += sizeof(Closure) + 2 * closure.places.size() * sizeof(Place) +
              n_classes_ * sizeof(State) + kNodeBytes;
    states_.push_back(std::move(closure));
    table_.resize(states_.size() * n_classes_, states_.size() == 1 ? kDead : kUnknown);
  }
  return found->second;
}

FLASHLM_INLINE GrammarStates::Cost GrammarStates::cost(const Place& place) const noexcept {
  return GrammarRules::plus(rules_->cost(place.node), frames_[place.frame].after);
}

FLASHLM_INLINE GrammarStates::State GrammarStates::step(State state, std::uint32_t byte_class) {
  unsigned byte = 0;
  while (rules_->byte_class(static_cast<unsigned char>(byte)) != byte_class) ++byte;
  std::vector<Step> steps;
  for (const Place& place : states_[state].places) {
    const GrammarRules::Entry& entry = rules_->entry(place.node);
    if (rules_->set(entry).test(byte)) steps.push_back({entry.next, place.frame, 0});
  }
  const State result = steps.empty() ? kDead : intern(closure(std::move(steps)));
  table_[state * n_classes_ + byte_class] = result;
  return result;
}

FLASHLM_INLINE GrammarStates::Closure GrammarStates::closure(std::vector<Step> steps) {
  Closure result;
  std::vector<Step> seen;
  while (!steps.empty()) {
    const Step at = steps.back();
    steps.pop_back();
    const GrammarRules::Entry& entry = rules_->entry(at.node);
    const bool is_loop = entry.kind == Kind::loop;
    if ((is_loop ? rules_->loop_cost(entry, at.done) : rules_->cost(at.node)) ==
        GrammarRules::kNever)
      continue;
    if (entry.kind == Kind::bytes) {
      result.places.push_back({at.node, at.frame});
      continue;
    }
    const auto place = std::lower_bound(seen.begin(), seen.end(), at);
    if (place != seen.end() && *place == at) continue;
    seen.insert(place, at);
    if (entry.kind == Kind::either) {
      for (const Node* each = rules_->begin(entry); each != rules_->end(entry); ++each)
        steps.push_back({*each, at.frame, 0});
    } else if (entry.kind == Kind::call) {
      // The last call of a rule needs no frame: its end is the rule's.
      const bool is_last = rules_->entry(entry.next).kind == Kind::end;
      steps.push_back({entry.target, is_last ? at.frame : push(at.node, 0, at.frame), 0});
    } else if (is_loop) {
      if (at.done >= entry.least) steps.push_back({entry.next, at.frame, 0});
      if (at.done < entry.most && rules_->cost(entry.target) != GrammarRules::kNever) {
        const std::uint64_t more =
            entry.most == GrammarRules::kNoLimit ? std::min(at.done + 1, entry.least) : at.done + 1;
        steps.push_back({entry.target, push(at.node, more, at.frame), 0});
      }
    } else if (at.frame == 0) {
      result.may_end = true;
    } else {
      const Frame& frame = frames_[at.frame];
      const GrammarRules::Entry& waiting = rules_->entry(frame.node);
      steps.push_back(waiting.kind == Kind::call ? Step{waiting.next, frame.parent, 0}
                                                 : Step{frame.node, frame.parent, frame.done});
    }
  }
  if (result.places.size() > kMostPlaces) {
    std::sort(result.places.begin(), result.places.end(),
              [&](const Place& left, const Place& right) {
                return std::pair(cost(left), left) < std::pair(cost(right), right);
              });
    result.places.resize(kMostPlaces);
  }
  std::sort(result.places.begin(), result.places.end());
  result.places.erase(std::unique(result.places.begin(), result.places.end()), result.places.end());
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::text

// SPDX-License-Identifier: Apache-2.0
/// grammar_rules.ipp: the bodies of grammar_rules.hpp.
#pragma once

#include "flashlm/text/grammar/automaton/grammar_rules.hpp"

#include <functional>
#include <queue>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

FLASHLM_INLINE ByteSet byte_range(unsigned char first, unsigned char last) {
  ByteSet set;
  for (unsigned byte = first; byte <= last; ++byte) set.set(byte);
  return set;
}

FLASHLM_INLINE ByteSet bytes_of(std::string_view text) {
  ByteSet set;
  for (const char each : text) set.set(static_cast<unsigned char>(each));
  return set;
}

FLASHLM_INLINE GrammarRules::Node GrammarRules::bytes(const ByteSet& set, Node next) {
  const auto [found, is_new] = set_ids_.try_emplace(set, static_cast<std::uint32_t>(sets_.size()));
  if (is_new) sets_.push_back(set);
  return add({Kind::bytes, found->second, 0, next, 0, 0});
}

FLASHLM_INLINE GrammarRules::Node GrammarRules::literal(std::string_view text, Node next) {
  for (std::size_t at = text.size(); at > 0; --at)
    next = bytes(bytes_of(text.substr(at - 1, 1)), next);
  return next;
}

FLASHLM_INLINE GrammarRules::Node GrammarRules::either(const std::vector<Node>& nodes) {
  if (nodes.size() == 1) return nodes.front();
  const auto first = static_cast<std::uint32_t>(targets_.size());
  targets_.insert(targets_.end(), nodes.begin(), nodes.end());
  return add({Kind::either, first, static_cast<std::uint32_t>(nodes.size()), 0, 0, 0});
}

FLASHLM_INLINE GrammarRules::Node GrammarRules::loop(Node rule, std::uint64_t least,
                                                     std::uint64_t most, Node next) {
  if (least > most) return either({});
  return add({Kind::loop, rule, 0, next, least, most});
}

FLASHLM_INLINE GrammarRules::Node GrammarRules::declare() {
  targets_.push_back(end());
  return add({Kind::either, static_cast<std::uint32_t>(targets_.size() - 1), 1, 0, 0, 0});
}

FLASHLM_INLINE bool GrammarRules::finish(Node start) {
  start_ = start;
  find_costs();
  find_classes();
  return cost(start) != kNever;
}

FLASHLM_INLINE bool GrammarRules::is_within(const ByteSet& usable) const {
  return std::all_of(sets_.begin(), sets_.end(),
                     [&](const ByteSet& set) { return (set & usable).any(); });
}

FLASHLM_INLINE bool GrammarRules::close_without(const ByteSet& usable) {
  for (ByteSet& set : sets_) {
    if ((set & usable).none()) set.reset();
  }
  return finish(start_);
}

FLASHLM_INLINE GrammarRules::Cost GrammarRules::loop_cost(const Entry& loop,
                                                          std::uint64_t done) const noexcept {
  const std::uint64_t left = loop.least > done ? loop.least - done : 0;
  return plus(times(left, cost(loop.target)), cost(loop.next));
}

FLASHLM_INLINE GrammarRules::Cost GrammarRules::times(std::uint64_t count, Cost cost) noexcept {
  if (count == 0 || cost == 0) return 0;
  return cost > kNever / count ? kNever : count * cost;
}

FLASHLM_INLINE GrammarRules::Node GrammarRules::add(const Entry& entry) {
  if (entries_.size() + targets_.size() > kMostNodes) {
    throw FormatError(
        concat("[grammar] rules: expected at most ", kMostNodes, " nodes, got more. Simplify it."));
  }
  entries_.push_back(entry);
  return static_cast<Node>(entries_.size() - 1);
}

FLASHLM_INLINE GrammarRules::Cost GrammarRules::evaluate(const Entry& entry) const noexcept {
  switch (entry.kind) {
    case Kind::end: return 0;
    case Kind::bytes: return sets_[entry.target].any() ? plus(1, cost(entry.next)) : kNever;
    case Kind::call: return plus(cost(entry.target), cost(entry.next));
    case Kind::loop: return loop_cost(entry, 0);
    case Kind::either: break;
  }
  Cost least = kNever;
  for (const Node* each = begin(entry); each != end(entry); ++each)
    least = std::min(least, cost(*each));
  return least;
}

FLASHLM_INLINE void GrammarRules::find_costs() {
  std::vector<std::vector<Node>> named_by(entries_.size());
  for (Node node = 0; node < entries_.size(); ++node) {
    visit_named(entries_[node], [&](Node other) { named_by[other].push_back(node); });
  }
  costs_.assign(entries_.size(), kNever);
  using Known = std::pair<Cost, Node>;
  std::priority_queue<Known, std::vector<Known>, std::greater<>> queue;
  costs_[end()] = 0;
  queue.emplace(0, end());
  while (!queue.empty()) {
    const auto [known, node] = queue.top();
    queue.pop();
    if (known != costs_[node]) continue;
    for (const Node other : named_by[node]) {
      const Cost better = evaluate(entries_[other]);
      if (better >= costs_[other]) continue;
      costs_[other] = better;
      queue.emplace(better, other);
    }
  }
}

FLASHLM_INLINE void GrammarRules::find_classes() {
  classes_.fill(0);
  n_classes_ = 1;
  for (const ByteSet& set : sets_) {
    std::unordered_map<std::uint32_t, std::uint32_t>
        renamed;  // old class * 2 + whether it is in the set -> new class
    for (unsigned byte = 0; byte < 256; ++byte) {
      const std::uint32_t key = classes_[byte] * 2 + (set.test(byte) ? 1 : 0);
      classes_[byte] =
          renamed.try_emplace(key, static_cast<std::uint32_t>(renamed.size())).first->second;
    }
    n_classes_ = renamed.size();
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::text

// SPDX-License-Identifier: Apache-2.0
/// grammar_rules.hpp: a language of bytes as a graph of rules, and the shortest way to its end from everywhere.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::text {

/// A set of byte values.
using ByteSet = std::bitset<256>;

/// The bytes from `first` to `last`, both included.
inline ByteSet byte_range(unsigned char first, unsigned char last) {
  ByteSet set;
  for (unsigned byte = first; byte <= last; ++byte) set.set(byte);
  return set;
}

/// The bytes of `text`.
inline ByteSet bytes_of(std::string_view text) {
  ByteSet set;
  for (const char each : text) set.set(static_cast<unsigned char>(each));
  return set;
}

/// A context-free language of bytes. A node is a place in it and says how the text may go on from there; a rule is a
/// node whose text ends at `end()`.
///
/// It is built from the end to the front: each function takes the node that follows and returns the node before it.
/// After `finish` it does not change; then any number of threads may read it.
class GrammarRules {
 public:
  using Node = std::uint32_t;
  using Cost = std::uint64_t;  // bytes

  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
  static constexpr Cost kNever = std::numeric_limits<Cost>::max();
  static constexpr std::size_t kMostNodes = std::size_t{1} << 18;

  enum class Kind : std::uint8_t { end, bytes, either, call, loop };

  struct Entry {
    Kind kind = Kind::end;
    std::uint32_t target = 0;  // bytes: index of the set; either: first of its targets; call, loop: the rule
    std::uint32_t count = 0;   // either: number of its targets
    Node next = 0;             // bytes, call, loop: what follows
    std::uint64_t least = 0;   // loop
    std::uint64_t most = 0;    // loop; kNoLimit: any number
  };

  GrammarRules() { add({}); }

  /// The end of a rule: what called it goes on.
  static constexpr Node end() noexcept { return 0; }

  /// One byte of `set`.
  Node bytes(const ByteSet& set, Node next) {
    const auto [found, is_new] = set_ids_.try_emplace(set, static_cast<std::uint32_t>(sets_.size()));
    if (is_new) sets_.push_back(set);
    return add({Kind::bytes, found->second, 0, next, 0, 0});
  }

  /// This text.
  Node literal(std::string_view text, Node next) {
    for (std::size_t at = text.size(); at > 0; --at) next = bytes(bytes_of(text.substr(at - 1, 1)), next);
    return next;
  }

  /// Any of `nodes`; none of them means that no text gets past here.
  Node either(const std::vector<Node>& nodes) {
    if (nodes.size() == 1) return nodes.front();
    const auto first = static_cast<std::uint32_t>(targets_.size());
    targets_.insert(targets_.end(), nodes.begin(), nodes.end());
    return add({Kind::either, first, static_cast<std::uint32_t>(nodes.size()), 0, 0, 0});
  }

  /// The text of a rule.
  Node call(Node rule, Node next) { return add({Kind::call, rule, 0, next, 0, 0}); }

  /// `least` to `most` texts of a rule that does not match the empty text.
  Node loop(Node rule, std::uint64_t least, std::uint64_t most, Node next) {
    if (least > most) return either({});
    return add({Kind::loop, rule, 0, next, least, most});
  }

  /// A node that `define` gives its meaning, so that rules may call themselves.
  Node declare() {
    targets_.push_back(end());
    return add({Kind::either, static_cast<std::uint32_t>(targets_.size() - 1), 1, 0, 0, 0});
  }
  void define(Node declared, Node meaning) { targets_[entries_[declared].target] = meaning; }

  /// Makes `start` the whole language. False if it has no text at all, as when a rule must always contain itself.
  bool finish(Node start) {
    start_ = start;
    find_costs();
    find_classes();
    return cost(start) != kNever;
  }

  /// Whether each byte that is wanted somewhere has an alternative in `usable`.
  bool is_within(const ByteSet& usable) const {
    return std::all_of(sets_.begin(), sets_.end(), [&](const ByteSet& set) { return (set & usable).any(); });
  }

  /// Closes the ways that need bytes outside `usable`. False if no text is left.
  bool close_without(const ByteSet& usable) {
    for (ByteSet& set : sets_) {
      if ((set & usable).none()) set.reset();
    }
    return finish(start_);
  }

  Node start() const noexcept { return start_; }
  const Entry& entry(Node node) const noexcept { return entries_[node]; }
  const ByteSet& set(const Entry& entry) const noexcept { return sets_[entry.target]; }
  /// The targets of an `either`.
  const Node* begin(const Entry& entry) const noexcept { return targets_.data() + entry.target; }
  const Node* end(const Entry& entry) const noexcept { return begin(entry) + entry.count; }
  std::size_t size() const noexcept { return entries_.size(); }

  /// Bytes of the shortest text from a node to the end of its rule, or kNever.
  Cost cost(Node node) const noexcept { return costs_[node]; }
  /// The same for a loop that has been through its rule `done` times.
  Cost loop_cost(const Entry& loop, std::uint64_t done) const noexcept {
    const std::uint64_t left = loop.least > done ? loop.least - done : 0;
    return plus(times(left, cost(loop.target)), cost(loop.next));
  }

  /// Bytes that no node tells apart have the same class, in [0, n_classes()).
  std::uint32_t byte_class(unsigned char byte) const noexcept { return classes_[byte]; }
  std::size_t n_classes() const noexcept { return n_classes_; }

  static Cost plus(Cost left, Cost right) noexcept { return left > kNever - right ? kNever : left + right; }

 private:
  static Cost times(std::uint64_t count, Cost cost) noexcept {
    if (count == 0 || cost == 0) return 0;
    return cost > kNever / count ? kNever : count * cost;
  }

  Node add(const Entry& entry) {
    if (entries_.size() + targets_.size() > kMostNodes) {
      throw FormatError(concat("[grammar] rules: expected at most ", kMostNodes, " nodes, got more. Simplify it."));
    }
    entries_.push_back(entry);
    return static_cast<Node>(entries_.size() - 1);
  }

  /// What a node costs, given the costs of those that it names.
  Cost evaluate(const Entry& entry) const noexcept {
    switch (entry.kind) {
      case Kind::end: return 0;
      case Kind::bytes: return sets_[entry.target].any() ? plus(1, cost(entry.next)) : kNever;
      case Kind::call: return plus(cost(entry.target), cost(entry.next));
      case Kind::loop: return loop_cost(entry, 0);
      case Kind::either: break;
    }
    Cost least = kNever;
    for (const Node* each = begin(entry); each != end(entry); ++each) least = std::min(least, cost(*each));
    return least;
  }

  template <class Visit>
  void visit_named(const Entry& entry, Visit&& visit) const {
    if (entry.kind == Kind::either) std::for_each(begin(entry), end(entry), visit);
    if (entry.kind == Kind::call || entry.kind == Kind::loop) visit(entry.target);
    if (entry.kind != Kind::either && entry.kind != Kind::end) visit(entry.next);
  }

  /// Knuth's generalisation of Dijkstra's algorithm: costs become known from the cheapest up.
  void find_costs() {
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

  void find_classes() {
    classes_.fill(0);
    n_classes_ = 1;
    for (const ByteSet& set : sets_) {
      std::unordered_map<std::uint32_t, std::uint32_t>
          renamed;  // old class * 2 + whether it is in the set -> new class
      for (unsigned byte = 0; byte < 256; ++byte) {
        const std::uint32_t key = classes_[byte] * 2 + (set.test(byte) ? 1 : 0);
        classes_[byte] = renamed.try_emplace(key, static_cast<std::uint32_t>(renamed.size())).first->second;
      }
      n_classes_ = renamed.size();
    }
  }

  std::vector<Entry> entries_;
  std::vector<Node> targets_;
  std::vector<ByteSet> sets_;
  std::unordered_map<ByteSet, std::uint32_t> set_ids_;
  std::vector<Cost> costs_;
  std::array<std::uint32_t, 256> classes_{};
  std::size_t n_classes_ = 1;
  Node start_ = 0;
};

}  // namespace flashlm::inline v0::text

// SPDX-License-Identifier: Apache-2.0
/// grammar_rules.hpp: a language of bytes as a graph of rules, and the shortest way to its end from
/// everywhere.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A set of byte values.
using ByteSet = std::bitset<256>;

/// The bytes from `first` to `last`, both included.
ByteSet byte_range(unsigned char first, unsigned char last);

/// The bytes of `text`.
ByteSet bytes_of(std::string_view text);

/// A context-free language of bytes. A node is a place in it and says how the text may go on from
/// there; a rule is a node whose text ends at `end()`.
///
/// It is built from the end to the front: each function takes the node that follows and returns the
/// node before it. After `finish` it does not change; then any number of threads may read it.
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
    std::uint32_t target =
        0;  // bytes: index of the set; either: first of its targets; call, loop: the rule
    std::uint32_t count = 0;  // either: number of its targets
    Node next = 0;            // bytes, call, loop: what follows
    std::uint64_t least = 0;  // loop
    std::uint64_t most = 0;   // loop; kNoLimit: any number
  };

  GrammarRules() { add({}); }

  /// The end of a rule: what called it goes on.
  static constexpr Node end() noexcept { return 0; }

  /// One byte of `set`.
  Node bytes(const ByteSet& set, Node next);

  /// This text.
  Node literal(std::string_view text, Node next);

  /// Any of `nodes`; none of them means that no text gets past here.
  Node either(const std::vector<Node>& nodes);

  /// The text of a rule.
  Node call(Node rule, Node next) { return add({Kind::call, rule, 0, next, 0, 0}); }

  /// `least` to `most` texts of a rule that does not match the empty text.
  Node loop(Node rule, std::uint64_t least, std::uint64_t most, Node next);

  /// A node that `define` gives its meaning, so that rules may call themselves.
  Node declare();
  void define(Node declared, Node meaning) { targets_[entries_[declared].target] = meaning; }

  /// Makes `start` the whole language. False if it has no text at all, as when a rule must always
  /// contain itself.
  bool finish(Node start);

  /// Whether each byte that is wanted somewhere has an alternative in `usable`.
  bool is_within(const ByteSet& usable) const;

  /// Closes the ways that need bytes outside `usable`. False if no text is left.
  bool close_without(const ByteSet& usable);

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
  Cost loop_cost(const Entry& loop, std::uint64_t done) const noexcept;

  /// Bytes that no node tells apart have the same class, in [0, n_classes()).
  std::uint32_t byte_class(unsigned char byte) const noexcept { return classes_[byte]; }
  std::size_t n_classes() const noexcept { return n_classes_; }

  static Cost plus(Cost left, Cost right) noexcept {
    return left > kNever - right ? kNever : left + right;
  }

 private:
  static Cost times(std::uint64_t count, Cost cost) noexcept;

  Node add(const Entry& entry);

  /// What a node costs, given the costs of those that it names.
  Cost evaluate(const Entry& entry) const noexcept;

  template <class Visit>
  void visit_named(const Entry& entry, Visit&& visit) const {
    if (entry.kind == Kind::either) std::for_each(begin(entry), end(entry), visit);
    if (entry.kind == Kind::call || entry.kind == Kind::loop) visit(entry.target);
    if (entry.kind != Kind::either && entry.kind != Kind::end) visit(entry.next);
  }

  /// Knuth's generalisation of Dijkstra's algorithm: costs become known from the cheapest up.
  void find_costs();

  void find_classes();

  std::vector<Entry> entries_;
  std::vector<Node> targets_;
  std::vector<ByteSet> sets_;
  std::unordered_map<ByteSet, std::uint32_t> set_ids_;
  std::vector<Cost> costs_;
  std::array<std::uint32_t, 256> classes_{};
  std::size_t n_classes_ = 1;
  Node start_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/automaton/grammar_rules.ipp"
#endif

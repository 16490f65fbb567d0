// SPDX-License-Identifier: Apache-2.0
/// grammar_states.hpp: the pushdown automaton of a grammar, made deterministic where a text goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "flashlm/text/grammar/automaton/grammar_rules.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// Reads a text byte by byte. A state is the set of all places in the grammar where the text so far
/// may stand, each with the rules that wait for it; states and steps between them are kept, so a
/// step that was made before is one look-up.
///
/// Every state has a way to an end: places without one are left out. Not thread-safe. The rules
/// must outlive it.
class GrammarStates {
 public:
  using State = std::uint32_t;
  using Cost = GrammarRules::Cost;

  /// No text of the grammar begins like this.
  static constexpr State kDead = 0;
  /// A state holds at most so many places, the nearest to an end: an ambiguous grammar is narrowed,
  /// never broken.
  static constexpr std::size_t kMostPlaces = 512;

  explicit GrammarStates(const GrammarRules& rules);
  explicit GrammarStates(GrammarRules&&) = delete;
  State start() const noexcept { return start_; }
  /// The number of states that were met since the last `forget_all_but`.
  std::size_t size() const noexcept { return states_.size(); }
  /// About how much memory they take, in bytes.
  std::size_t bytes() const noexcept { return bytes_; }

  State next(State state, unsigned char byte);

  /// States of one kind allow the same next `length` bytes: they differ only in loops that have
  /// more rounds left, or more to do, than so many bytes can make. `length` is the same in every
  /// call.
  std::uint32_t kind(State state, std::uint64_t length);

  /// Whether the text may end here, or must.
  bool may_end(State state) const noexcept { return states_[state].may_end; }
  bool must_end(State state) const noexcept {
    return may_end(state) && states_[state].places.empty();
  }
  Cost to_end(State state) const noexcept {
    return states_[state].to_end;
  }  // bytes to the nearest end

  /// The only byte that may follow, or -1 if there are several, or if the text may end.
  int forced(State state) const noexcept;

  /// A shortest text from `state` to an end, of bytes in `usable`, which each set of the grammar
  /// has. It goes straight through the rules: a text of any length meets no new states.
  std::string shortest(State state, const ByteSet& usable = ~ByteSet()) const;

  /// Gives all memory back but for `state`, whose new name it returns.
  State forget_all_but(State state);

 private:
  using Node = GrammarRules::Node;
  using Kind = GrammarRules::Kind;
  static constexpr State kUnknown = ~State{0};
  static constexpr std::size_t kNodeBytes = 64;  // what a map takes for an entry, about

  /// A rule that waits for another to end: `node` is the call or the loop.
  struct Frame {
    Node node = 0;
    std::uint64_t done = 0;  // rounds of the loop when it goes on, up to where more change nothing
    std::uint32_t parent = 0;
    Cost after = 0;  // bytes from the end of the inner rule to the end of everything
  };

  /// A node of kind bytes, and the frame that waits; 0: none.
  struct Place {
    Node node;
    std::uint32_t frame;
    auto operator<=>(const Place&) const = default;
  };
  /// A node of any kind; `done` counts for loops.
  struct Step {
    Node node;
    std::uint32_t frame;
    std::uint64_t done;
    auto operator<=>(const Step&) const = default;
  };
  struct Closure {
    std::vector<Place> places;  // sorted
    bool may_end = false;
    Cost to_end = GrammarRules::kNever;
  };
  struct Hash {
    static std::size_t mix(std::size_t seed, std::size_t value) noexcept;
    std::size_t operator()(
        const std::tuple<Node, std::uint64_t, std::uint32_t>& key) const noexcept;
    std::size_t operator()(const std::pair<std::vector<Place>, bool>& key) const noexcept;
  };

  void clear();

  std::uint32_t push(Node node, std::uint64_t done, std::uint32_t parent);

  std::uint32_t frame_kind(std::uint32_t frame, std::uint64_t length);

  State intern(Closure closure);

  Cost cost(const Place& place) const noexcept;

  State step(State state, std::uint32_t byte_class);

  /// All places that read a byte and can be reached from `steps` without one.
  Closure closure(std::vector<Step> steps);

  const GrammarRules* rules_;
  std::size_t n_classes_;
  std::vector<Frame> frames_;  // the first stands for none
  std::unordered_map<std::tuple<Node, std::uint64_t, std::uint32_t>, std::uint32_t, Hash>
      frame_ids_;
  std::vector<Closure> states_;
  std::unordered_map<std::pair<std::vector<Place>, bool>, State, Hash> state_ids_;
  std::vector<State> table_;                // [states, classes]
  std::vector<std::uint32_t> frame_kinds_;  // by frame
  std::unordered_map<std::tuple<Node, std::uint64_t, std::uint32_t>, std::uint32_t, Hash>
      frame_kind_ids_;
  std::unordered_map<std::pair<std::vector<Place>, bool>, std::uint32_t, Hash> kinds_;
  State start_ = kDead;
  std::size_t bytes_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/grammar/automaton/grammar_states.ipp"
#endif

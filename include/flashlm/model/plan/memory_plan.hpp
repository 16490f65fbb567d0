// SPDX-License-Identifier: Apache-2.0
/// memory_plan.hpp: where every byte of a memory budget goes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/memory/memory_sensor.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/stream/segment.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {
class PassLayout;
}

namespace flashlm::inline FLASHLM_ABI::model {

/// What weights are for. A tied embedding is the head.
enum class WeightKind : std::uint8_t { attention, neurons, head, embedding };
inline constexpr std::size_t kWeightKinds = 4;

/// What a model asks for, in bytes.
struct MemoryNeeds {
  std::vector<stream::Segment> segments;  // weights that may stay on flash, in the order of a pass
  std::vector<WeightKind> kinds;          // of the segments
  std::size_t n_passed = 0;    // segments that every pass needs; the others are asked for by row
  std::uint64_t resident = 0;  // weights that always stay: norms, biases
  std::uint64_t kv = 0;        // one session
  std::uint64_t scratch = 0;   // activations, logits, rope table
  std::size_t context = 0;     // positions a session
  MemoryLimit limit{};         // what bounds an automatic budget

  /// Rows for single neurons that a selector chooses; the segments hold none of them then.
  struct Window {
    std::uint64_t neurons = 0;   // bytes of all
    std::uint64_t selector = 0;  // bytes of what chooses
    std::size_t row_bytes = 0;   // 0: there is no window
    std::size_t least_rows = 0;
    std::size_t most_rows = 0;
    std::size_t working_set =
        0;  // neurons of all layers that a token is expected to have; 0: unknown
  };
  Window window{};
};

/// How a budget is spent. Bytes, unless the name says otherwise.
struct MemoryPlan {
  /// Weights of one kind: all of them, and those that stay in DRAM.
  struct Share {
    std::uint64_t bytes = 0;
    std::uint64_t pinned = 0;
    std::uint64_t streamed() const noexcept { return bytes - pinned; }
  };

  std::uint64_t budget = 0;    // what may be used
  std::uint64_t weights = 0;   // what all weights take
  std::uint64_t resident = 0;  // weights that always stay: norms, biases
  std::uint64_t pinned = 0;    // pages of other weights that stay
  std::uint64_t stream = 0;    // slots through which the rest passes
  std::uint64_t selector = 0;  // what chooses neurons
  std::uint64_t window = 0;    // rows for the neurons that were chosen lately
  std::uint64_t kv = 0;        // all sessions
  std::uint64_t scratch = 0;
  std::uint64_t total = 0;     // what is used, at most `budget`
  std::uint64_t smallest = 0;  // the smallest budget that would work
  std::array<Share, kWeightKinds> shares;
  std::size_t n_rows = 0;  // neurons that the window holds
  std::size_t least_rows = 0;
  std::size_t context = 0;  // positions a session
  std::size_t sessions = 1;
  MemoryLimit limit{};  // what bounds an automatic budget, as it was found; no bound for others
  std::vector<std::string> notes;  // what is known beforehand and worth saying
  std::shared_ptr<const stream::PassLayout> layout;
  std::vector<bool> pinned_pieces;  // [layout->pieces()]
  stream::Ring ring;

  const Share& share(WeightKind kind) const noexcept {
    return shares[static_cast<std::size_t>(kind)];
  }
  /// What a pass reads, before alignment.
  std::uint64_t streamed() const noexcept;
  /// The share of all weights' bytes that stays in DRAM.
  double pinned_share() const noexcept;

  /// Splits `memory` for `sessions` conversations.
  ///
  /// Bytes are everything that flashlm allocates; a share counts packed weights, with KV cache,
  /// scratch and the rest of pages that are not full on top; an automatic budget is its bytes, but
  /// no more than everything takes. `before` is the plan for fewer sessions: what it streams is
  /// streamed still. Throws BudgetError, which names the smallest budget that works.
  static MemoryPlan resolve(const MemoryNeeds& needs, const MemorySize& memory,
                            std::size_t sessions = 1, const MemoryPlan* before = nullptr);

  /// The same with at most `bytes` in rows of neurons, pinned weights and ring, or as few as work.
  /// Rows go first: a pinned weight saves its bytes for every token.
  MemoryPlan shrunk(const MemoryNeeds& needs, std::uint64_t bytes) const;

  /// Whether `shrunk` has something to give: rows beyond the least, or pinned weights and slots
  /// beyond two. Allocates nothing.
  bool can_shrink() const noexcept { return n_rows > least_rows || can_stream_more(); }

  /// A table for people, a line each part.
  std::string table() const;

 private:
  bool can_stream_more() const noexcept;
  void pin(const MemoryNeeds& needs, std::uint64_t spare, const MemoryPlan* before);
};

constexpr std::string_view name(WeightKind kind) noexcept {
  constexpr std::array<std::string_view, kWeightKinds> kNames{"attention", "neurons", "head",
                                                              "embedding"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/plan/memory_plan.ipp"
#endif

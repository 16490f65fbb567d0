// SPDX-License-Identifier: Apache-2.0
/// memory_plan.hpp: where every byte of a memory budget goes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/sparse/pass_layout.hpp"
#include "flashlm/sparse/weight_stream.hpp"

namespace flashlm::inline v0::model {

/// What weights are for. A tied embedding is the head.
enum class WeightKind : std::uint8_t { attention, neurons, head, embedding };
inline constexpr std::size_t kWeightKinds = 4;

/// What a model asks for, in bytes.
struct MemoryNeeds {
  std::vector<sparse::Segment> segments;  // weights that may stay on flash, in the order of a pass
  std::vector<WeightKind> kinds;          // of the segments
  std::size_t n_passed = 0;               // segments that every pass needs; the others are asked for by row
  std::uint64_t resident = 0;             // weights that always stay: norms, biases
  std::uint64_t kv = 0;                   // one session
  std::uint64_t scratch = 0;              // activations, logits, rope table
  std::size_t context = 0;                // positions a session

  /// Rows for single neurons that a selector chooses; the segments hold none of them then.
  struct Window {
    std::uint64_t neurons = 0;   // bytes of all
    std::uint64_t selector = 0;  // bytes of what chooses
    std::size_t row_bytes = 0;   // 0: there is no window
    std::size_t least_rows = 0;
    std::size_t most_rows = 0;
    std::size_t working_set = 0;  // neurons of all layers that a token is expected to have; 0: unknown
  };
  Window window{};
};

namespace detail {
inline constexpr std::size_t kLeastSlots = 2;  // one is computed while the other is read
}  // namespace detail

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
  std::vector<std::string> notes;  // what is known beforehand and worth saying
  std::shared_ptr<const sparse::PassLayout> layout;
  std::vector<bool> pinned_pieces;  // [layout->pieces()]
  sparse::WeightStream::Ring ring;

  const Share& share(WeightKind kind) const noexcept { return shares[static_cast<std::size_t>(kind)]; }
  /// What a pass reads, before alignment.
  std::uint64_t streamed() const noexcept {
    return share(WeightKind::attention).streamed() + share(WeightKind::neurons).streamed() +
           share(WeightKind::head).streamed();
  }
  /// The share of all weights' bytes that stays in DRAM.
  double pinned_share() const noexcept {
    std::uint64_t held = resident;
    for (const Share& share : shares) held += share.pinned;
    return weights ? static_cast<double>(held) / static_cast<double>(weights) : 1;
  }

  /// Splits `memory` for `sessions` conversations.
  ///
  /// Bytes are everything that flashlm allocates; a share counts packed weights, with KV cache, scratch and the rest of
  /// pages that are not full on top. `before` is the plan for fewer sessions: what it streams is streamed still.
  /// Throws BudgetError, which names the smallest budget that works.
  static MemoryPlan resolve(const MemoryNeeds& needs, const MemorySize& memory, std::size_t sessions = 1,
                            const MemoryPlan* before = nullptr);

  /// The same with at most `bytes` in rows of neurons, pinned weights and ring, or as few as work. Rows go first: a
  /// pinned weight saves its bytes for every token.
  MemoryPlan shrunk(const MemoryNeeds& needs, std::uint64_t bytes) const;

  /// Whether `shrunk` has something to give: rows beyond the least, or pinned weights and slots beyond two. Allocates
  /// nothing.
  bool can_shrink() const noexcept { return n_rows > least_rows || can_stream_more(); }

  /// A table for people, a line each part.
  std::string table() const;

 private:
  bool can_stream_more() const noexcept { return pinned + stream > detail::kLeastSlots * layout->slot_bytes(); }
  void pin(const MemoryNeeds& needs, std::uint64_t spare, const MemoryPlan* before);
};

constexpr std::string_view name(WeightKind kind) noexcept {
  constexpr std::array<std::string_view, kWeightKinds> kNames{"attention", "neurons", "head", "embedding"};
  return kNames[static_cast<std::size_t>(kind)];
}

namespace detail {

/// Pieces and slots of at most `most` bytes, or the least that works.
///
/// A disk is at its best with some MiB in flight. A ring of more than kRingBytes is slower where a processor's cache
/// takes part in moving bytes: what arrives then leaves the cache before it is computed. Much less than that, and the
/// disk runs dry whenever the system puts a computing thread aside.
struct RingSize {
  std::size_t piece_bytes = 0;
  std::size_t n_slots = 0;
};
inline RingSize choose_ring(std::size_t largest_unit, std::uint64_t most) {
  constexpr std::size_t kRingBytes = std::size_t{12} << 20;
  constexpr std::size_t kEnough = 6;  // of which one is computed and the others are read
  const auto slot_of = [&](std::size_t piece) {
    return round_up(std::max(piece, largest_unit), kPageBytes) + kPageBytes;
  };
  const auto n_slots = [&](std::size_t piece, std::size_t least) {
    const std::size_t slot = slot_of(piece);
    return std::max<std::size_t>(least, std::min<std::uint64_t>(most, kRingBytes + kEnough * kPageBytes) / slot);
  };
  for (const std::size_t piece : {2u << 20, 1u << 20, 512u << 10, 256u << 10, 128u << 10}) {
    if (slot_of(piece) * kEnough <= most) return {piece, n_slots(piece, kEnough)};
  }
  return {largest_unit, n_slots(largest_unit, kLeastSlots)};
}

}  // namespace detail

inline void MemoryPlan::pin(const MemoryNeeds& needs, std::uint64_t spare, const MemoryPlan* before) {
  const std::vector<bool>* among = before != nullptr ? &before->pinned_pieces : nullptr;
  const bool all_fits = (before == nullptr || before->ring.n_slots == 0) && layout->all_bytes() <= spare;
  std::size_t n_slots = all_fits ? 0 : std::max(ring.n_slots, detail::kLeastSlots);
  while (n_slots > detail::kLeastSlots && n_slots * layout->slot_bytes() > spare) --n_slots;
  ring = {n_slots, n_slots != 0 ? layout->slot_bytes() : 0};
  stream = ring.bytes();
  const std::uint64_t left = spare > stream ? spare - stream : 0;
  // Neighbours that together keep half the ring busy are pinned or streamed together: a disk likes long runs.
  const sparse::PassLayout::Pinned chosen = layout->pin(left, std::max<std::size_t>(1, n_slots / 2), among);
  pinned_pieces = chosen.pieces;
  pinned = chosen.bytes;
  shares = {};
  for (const sparse::PassLayout::Part& part : layout->parts()) {
    const std::uint64_t bytes = part.n_units * layout->segments()[part.segment].unit_bytes;
    Share& share = shares[static_cast<std::size_t>(needs.kinds[part.segment])];
    share.bytes += bytes;
    if (pinned_pieces[part.piece]) share.pinned += bytes;
  }
  total = resident + pinned + stream + selector + window + kv + scratch;
}

inline MemoryPlan MemoryPlan::resolve(const MemoryNeeds& needs, const MemorySize& memory, std::size_t sessions,
                                      const MemoryPlan* before) {
  MemoryPlan plan;
  std::size_t largest_unit = 1;
  plan.weights = plan.resident = needs.resident;
  for (const sparse::Segment& segment : needs.segments) {
    plan.weights += segment.bytes();
    largest_unit = std::max(largest_unit, segment.unit_bytes);
  }
  plan.context = needs.context;
  plan.sessions = sessions;
  plan.kv = needs.kv * sessions;
  plan.scratch = needs.scratch;
  plan.selector = needs.window.selector;
  const std::uint64_t beside = plan.kv + plan.scratch;
  const auto cut = [&](std::size_t piece_bytes) {
    return std::make_shared<const sparse::PassLayout>(needs.segments, needs.n_passed, piece_bytes);
  };
  plan.layout = before != nullptr ? before->layout : cut(largest_unit);
  const std::uint64_t all = plan.layout->all_bytes();
  const std::uint64_t row_bytes = needs.window.row_bytes;
  const std::uint64_t least_weights = plan.resident + plan.selector + needs.window.least_rows * row_bytes +
                                      std::min<std::uint64_t>(all, detail::kLeastSlots * plan.layout->slot_bytes());
  plan.smallest = least_weights + beside;
  const std::uint64_t padding = plan.resident + all - plan.weights;
  plan.weights += needs.window.neurons;
  plan.budget = memory.share
                    ? static_cast<std::uint64_t>(*memory.share * static_cast<double>(plan.weights)) + padding + beside
                    : memory.bytes;
  if (plan.budget < plan.smallest) {
    const double share =
        std::ceil(1000.0 * static_cast<double>(least_weights) / static_cast<double>(plan.weights)) / 10;
    const std::string asked =
        memory.share ? concat(*memory.share * 100, "%, which is ", plan.budget) : concat(plan.budget);
    const std::uint64_t rows = needs.window.least_rows * row_bytes;
    const std::string choosing = row_bytes == 0 ? std::string()
                                                : concat(", the selector ", format_bytes(plan.selector),
                                                         ", rows for its neurons ", format_bytes(rows));
    throw BudgetError(concat("[memory_plan] budget: expected at least ", plan.smallest, " bytes (", share, "%), got ",
                             asked, " bytes. Norms and biases take ", format_bytes(plan.resident), choosing,
                             ", two buffers for weights on their way ",
                             format_bytes(least_weights - plan.resident - plan.selector - rows), ", the KV cache ",
                             format_bytes(plan.kv), " (context ", plan.context, ", sessions ", sessions, "), scratch ",
                             format_bytes(plan.scratch), ". A smaller context needs less."),
                      plan.smallest);
  }
  std::uint64_t spare = plan.budget - beside - plan.resident - plan.selector;
  if (row_bytes != 0) {  // What every pass needs comes first, neurons get the rest.
    plan.least_rows = needs.window.least_rows;
    plan.n_rows = static_cast<std::size_t>(std::clamp<std::uint64_t>((spare - std::min(spare, all)) / row_bytes,
                                                                     needs.window.least_rows, needs.window.most_rows));
    if (before != nullptr) plan.n_rows = std::min(plan.n_rows, before->n_rows);  // what was given back stays so
    plan.window = plan.n_rows * row_bytes;
    if (plan.n_rows < needs.window.working_set) {
      plan.notes.push_back(concat("the neuron cache has rows for ", plan.n_rows, " of the ", needs.window.working_set,
                                  " neurons that a token needs: the policies window and lru find nothing there and "
                                  "let neurons pass through, others find the hottest"));
    }
    spare -= plan.window;
  }
  if (before != nullptr) {
    plan.ring = before->ring;
  } else if (spare < all) {
    // Pinned bytes save reads and slots do not: a sixteenth at most, and no more than what does not fit.
    const detail::RingSize size = detail::choose_ring(largest_unit, std::min(spare / 16, all - spare));
    plan.layout = cut(size.piece_bytes);
    plan.ring.n_slots = size.n_slots;
  } else {
    plan.layout = cut(detail::choose_ring(largest_unit, all / 16).piece_bytes);  // should memory be given back one day
  }
  plan.pin(needs, spare, before);
  return plan;
}

inline MemoryPlan MemoryPlan::shrunk(const MemoryNeeds& needs, std::uint64_t bytes) const {
  MemoryPlan plan = *this;
  if (const std::size_t row_bytes = needs.window.row_bytes; row_bytes != 0) {
    const std::uint64_t others = pinned + stream;
    plan.n_rows = static_cast<std::size_t>(
        std::clamp<std::uint64_t>((bytes - std::min(bytes, others)) / row_bytes, needs.window.least_rows, n_rows));
    plan.window = plan.n_rows * row_bytes;
    bytes -= std::min(bytes, plan.window);
    plan.total -= window - plan.window;
  }
  if (can_stream_more()) plan.pin(needs, bytes, this);
  return plan;
}

inline std::string MemoryPlan::table() const {
  std::string out;
  const auto line = [&out](std::string_view part, std::uint64_t bytes, const std::string& note) {
    char text[200];
    std::snprintf(text, sizeof text, "%-18.*s %10s  %s\n", static_cast<int>(part.size()), part.data(),
                  format_bytes(bytes).c_str(), note.c_str());
    out += text;
  };
  line("resident weights", resident, "norms, biases: always in DRAM");
  line("pinned weights", pinned, concat(static_cast<int>(100 * pinned_share() + 0.5), " % of ", format_bytes(weights)));
  for (const WeightKind kind : {WeightKind::attention, WeightKind::neurons, WeightKind::head, WeightKind::embedding}) {
    const Share& one = share(kind);
    if (one.bytes == 0) continue;
    const char* how = kind == WeightKind::embedding ? " on flash, read by row" : " streamed for every token";
    line(concat("  ", name(kind)), one.pinned, one.streamed() ? format_bytes(one.streamed()) + how : "all of it");
  }
  line("stream slots", stream, concat(ring.n_slots, " reads of up to ", format_bytes(ring.slot_bytes)));
  if (n_rows != 0) {
    line("selector", selector, "chooses the neurons of each token");
    line("neuron window", window, concat("of the neurons that tokens used lately; rows: ", n_rows));
  }
  line("KV cache", kv, concat(sessions, sessions == 1 ? " session of " : " sessions of ", context, " positions"));
  line("scratch", scratch, "activations, logits");
  line("total", total, concat("of a budget of ", format_bytes(budget), "; all weights: ", format_bytes(weights)));
  for (const std::string& note : notes) out += concat("note: ", note, '\n');
  return out;
}

}  // namespace flashlm::inline v0::model

// SPDX-License-Identifier: Apache-2.0
/// memory_plan.ipp: the bodies of memory_plan.hpp.
#pragma once

#include "flashlm/model/plan/memory_plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/stream/pass_layout.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

namespace detail {

inline constexpr std::size_t kLeastSlots = 2;  // one is computed while the other is read

/// How an automatic budget came about, in a message.
inline std::string found(const MemoryLimit& limit) {
  return concat(", which auto found: ", format_bytes(limit.room), " of ", limit.name(),
                " are free, of which ", format_bytes(limit.reserve()), " stay free");
}

}  // namespace detail

FLASHLM_INLINE std::uint64_t MemoryPlan::streamed() const noexcept {
  return share(WeightKind::attention).streamed() + share(WeightKind::neurons).streamed() +
         share(WeightKind::head).streamed();
}

FLASHLM_INLINE double MemoryPlan::pinned_share() const noexcept {
  std::uint64_t held = resident;
  for (const Share& share : shares) held += share.pinned;
  return weights ? static_cast<double>(held) / static_cast<double>(weights) : 1;
}

FLASHLM_INLINE bool MemoryPlan::can_stream_more() const noexcept {
  return pinned + stream > detail::kLeastSlots * layout->slot_bytes();
}

namespace detail {

/// Pieces and slots of at most `most` bytes, or the least that works.
///
/// A disk is at its best with some MiB in flight. A ring of more than kRingBytes is slower where a
/// processor's cache takes part in moving bytes: what arrives then leaves the cache before it is
/// computed. Much less than that, and the disk runs dry whenever the system puts a computing thread
/// aside.
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
    return std::max<std::size_t>(
        least, std::min<std::uint64_t>(most, kRingBytes + kEnough * kPageBytes) / slot);
  };
  for (const std::size_t piece : {2u << 20, 1u << 20, 512u << 10, 256u << 10, 128u << 10}) {
    if (slot_of(piece) * kEnough <= most) return {piece, n_slots(piece, kEnough)};
  }
  return {largest_unit, n_slots(largest_unit, kLeastSlots)};
}

}  // namespace detail

FLASHLM_INLINE void MemoryPlan::pin(const MemoryNeeds& needs, std::uint64_t spare,
                                    const MemoryPlan* before) {
  const std::vector<bool>* among = before != nullptr ? &before->pinned_pieces : nullptr;
  const bool all_fits =
      (before == nullptr || before->ring.n_slots == 0) && layout->all_bytes() <= spare;
  std::size_t n_slots = all_fits ? 0 : std::max(ring.n_slots, detail::kLeastSlots);
  while (n_slots > detail::kLeastSlots && n_slots * layout->slot_bytes() > spare) --n_slots;
  ring = {n_slots, n_slots != 0 ? layout->slot_bytes() : 0};
  stream = ring.bytes();
  const std::uint64_t left = spare > stream ? spare - stream : 0;
  // Neighbours that together keep half the ring busy are pinned or streamed together: a disk likes
  // long runs.
  const stream::PassLayout::Pinned chosen =
      layout->pin(left, std::max<std::size_t>(1, n_slots / 2), among);
  pinned_pieces = chosen.pieces;
  pinned = chosen.bytes;
  shares = {};
  for (const stream::PassLayout::Part& part : layout->parts()) {
    const std::uint64_t bytes = part.n_units * layout->segments()[part.segment].unit_bytes;
    Share& share = shares[static_cast<std::size_t>(needs.kinds[part.segment])];
    share.bytes += bytes;
    if (pinned_pieces[part.piece]) share.pinned += bytes;
  }
  total = resident + pinned + stream + selector + window + kv + scratch;
}

FLASHLM_INLINE MemoryPlan MemoryPlan::resolve(const MemoryNeeds& needs, const MemorySize& memory,
                                              std::size_t sessions, const MemoryPlan* before) {
  MemoryPlan plan;
  std::size_t largest_unit = 1;
  plan.weights = plan.resident = needs.resident;
  for (const stream::Segment& segment : needs.segments) {
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
    return std::make_shared<const stream::PassLayout>(needs.segments, needs.n_passed, piece_bytes);
  };
  plan.layout = before != nullptr ? before->layout : cut(largest_unit);
  const std::uint64_t all = plan.layout->all_bytes();
  const std::uint64_t row_bytes = needs.window.row_bytes;
  const std::uint64_t least_weights =
      plan.resident + plan.selector + needs.window.least_rows * row_bytes +
      std::min<std::uint64_t>(all, detail::kLeastSlots * plan.layout->slot_bytes());
  plan.smallest = least_weights + beside;
  const std::uint64_t padding = plan.resident + all - plan.weights;
  plan.weights += needs.window.neurons;
  plan.budget =
      memory.share ? static_cast<std::uint64_t>(*memory.share * static_cast<double>(plan.weights)) +
                         padding + beside
                   : memory.bytes;
  if (memory.automatic) {
    const std::uint64_t rows = needs.window.most_rows * row_bytes;
    plan.budget = std::min(memory.bytes, plan.resident + plan.selector + rows + all + beside);
    plan.limit = needs.limit;
  }
  if (plan.budget < plan.smallest) {
    const double share =
        std::ceil(1000.0 * static_cast<double>(least_weights) / static_cast<double>(plan.weights)) /
        10;
    const std::string asked = memory.share
                                  ? concat(*memory.share * 100, "%, which is ", plan.budget)
                                  : concat(plan.budget);
    const std::uint64_t rows = needs.window.least_rows * row_bytes;
    const std::string choosing = row_bytes == 0
                                     ? std::string()
                                     : concat(", the selector ", format_bytes(plan.selector),
                                              ", rows for its neurons ", format_bytes(rows));
    const std::string found = memory.automatic ? detail::found(needs.limit) : std::string();
    throw BudgetError(
        concat("[memory_plan] budget: expected at least ", plan.smallest, " bytes (", share,
               "%), got ", asked, " bytes", found, ". Norms and biases take ",
               format_bytes(plan.resident), choosing, ", two buffers for weights on their way ",
               format_bytes(least_weights - plan.resident - plan.selector - rows),
               ", the KV cache ", format_bytes(plan.kv), " (context ", plan.context, ", sessions ",
               sessions, "), scratch ", format_bytes(plan.scratch),
               ". A smaller context needs less",
               memory.automatic ? ", and memory in bytes may take what auto keeps free." : "."),
        plan.smallest);
  }
  std::uint64_t spare = plan.budget - beside - plan.resident - plan.selector;
  if (row_bytes != 0) {  // What every pass needs comes first, neurons get the rest.
    plan.least_rows = needs.window.least_rows;
    plan.n_rows = static_cast<std::size_t>(
        std::clamp<std::uint64_t>((spare - std::min(spare, all)) / row_bytes,
                                  needs.window.least_rows, needs.window.most_rows));
    if (before != nullptr)
      plan.n_rows = std::min(plan.n_rows, before->n_rows);  // what was given back stays so
    plan.window = plan.n_rows * row_bytes;
    if (plan.n_rows < needs.window.working_set) {
      plan.notes.push_back(concat(
          "the neuron cache has rows for ", plan.n_rows, " of the ", needs.window.working_set,
          " neurons that a token needs: the policies window and lru find nothing there and "
          "let neurons pass through, others find the hottest"));
    }
    spare -= plan.window;
  }
  if (before != nullptr) {
    plan.ring = before->ring;
  } else if (spare < all) {
    // Pinned bytes save reads and slots do not: a sixteenth at most, and no more than what does not
    // fit.
    const detail::RingSize size =
        detail::choose_ring(largest_unit, std::min(spare / 16, all - spare));
    plan.layout = cut(size.piece_bytes);
    plan.ring.n_slots = size.n_slots;
  } else {
    plan.layout = cut(detail::choose_ring(largest_unit, all / 16)
                          .piece_bytes);  // should memory be given back one day
  }
  plan.pin(needs, spare, before);
  return plan;
}

FLASHLM_INLINE MemoryPlan MemoryPlan::shrunk(const MemoryNeeds& needs, std::uint64_t bytes) const {
  MemoryPlan plan = *this;
  if (const std::size_t row_bytes = needs.window.row_bytes; row_bytes != 0) {
    const std::uint64_t others = pinned + stream;
    plan.n_rows = static_cast<std::size_t>(std::clamp<std::uint64_t>(
        (bytes - std::min(bytes, others)) / row_bytes, needs.window.least_rows, n_rows));
    plan.window = plan.n_rows * row_bytes;
    bytes -= std::min(bytes, plan.window);
    plan.total -= window - plan.window;
  }
  if (can_stream_more()) plan.pin(needs, bytes, this);
  return plan;
}

FLASHLM_INLINE std::string MemoryPlan::table() const {
  std::string out;
  const auto line = [&out](std::string_view part, std::uint64_t bytes, const std::string& note) {
    char text[200];
    std::snprintf(text, sizeof text, "%-18.*s %10s  %s\n", static_cast<int>(part.size()),
                  part.data(), format_bytes(bytes).c_str(), note.c_str());
    out += text;
  };
  line("resident weights", resident, "norms, biases: always in DRAM");
  line("pinned weights", pinned,
       concat(static_cast<int>(100 * pinned_share() + 0.5), " % of ", format_bytes(weights)));
  for (const WeightKind kind :
       {WeightKind::attention, WeightKind::neurons, WeightKind::head, WeightKind::embedding}) {
    const Share& one = share(kind);
    if (one.bytes == 0) continue;
    const char* how =
        kind == WeightKind::embedding ? " on flash, read by row" : " streamed for every token";
    line(concat("  ", name(kind)), one.pinned,
         one.streamed() ? format_bytes(one.streamed()) + how : "all of it");
  }
  line("stream slots", stream,
       concat(ring.n_slots, " reads of up to ", format_bytes(ring.slot_bytes)));
  if (n_rows != 0) {
    line("selector", selector, "chooses the neurons of each token");
    line("neuron window", window, concat("of the neurons that tokens used lately; rows: ", n_rows));
  }
  line("KV cache", kv,
       concat(sessions, sessions == 1 ? " session of " : " sessions of ", context, " positions"));
  line("scratch", scratch, "activations, logits");
  if (limit.bound != MemoryBound::none) {
    line("free memory", limit.room,
         concat("of ", limit.name(), "; ", format_bytes(limit.reserve()), " stay free"));
  }
  line("total", total,
       concat("of a budget of ", format_bytes(budget), "; all weights: ", format_bytes(weights)));
  for (const std::string& note : notes) out += concat("note: ", note, '\n');
  return out;
}

}  // namespace flashlm::inline FLASHLM_ABI::model

// SPDX-License-Identifier: Apache-2.0
/// memory_plan.hpp: where every byte of a memory budget goes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/sparse/bundle_stream.hpp"
#include "flashlm/storage/bundle_layout.hpp"

namespace flashlm::inline v0::model {

/// What a model asks for, in bytes.
struct MemoryNeeds {
  std::uint64_t resident = 0;                 // weights that always stay: embedding, attention, norms, head
  std::vector<storage::BundleLayout> layers;  // [n_layers], the neurons
  std::uint64_t kv = 0;                       // one session
  std::uint64_t scratch = 0;                  // activations, logits, rope table
  std::size_t context = 0;                    // positions a session

  std::uint64_t neurons() const noexcept {
    std::uint64_t bytes = 0;
    for (const storage::BundleLayout& layer : layers) bytes += layer.n_bundles() * layer.stride;
    return bytes;
  }
};

/// How a budget is spent. Bytes, unless the name says otherwise.
struct MemoryPlan {
  std::uint64_t budget = 0;    // what may be used
  std::uint64_t weights = 0;   // what all weights would take
  std::uint64_t resident = 0;  // embedding, attention, norms, head
  std::uint64_t pinned = 0;    // neurons that stay in DRAM
  std::uint64_t stream = 0;    // slots through which the other neurons pass
  std::uint64_t kv = 0;        // all sessions
  std::uint64_t scratch = 0;
  std::uint64_t total = 0;     // what is used, at most `budget`
  std::uint64_t smallest = 0;  // the smallest budget that would work
  std::uint64_t neurons = 0;   // what all neurons would take
  std::size_t context = 0;     // positions a session
  std::size_t sessions = 1;
  std::vector<std::size_t> pinned_bundles;  // [n_layers]
  sparse::BundleStream::Ring ring;

  /// The share of the neurons' bytes that stays in DRAM.
  double pinned_share() const noexcept {
    return neurons ? static_cast<double>(pinned) / static_cast<double>(neurons) : 1;
  }

  /// Splits `memory` for `sessions` conversations.
  ///
  /// Bytes are everything that flashlm allocates; a share counts packed weights, with KV cache and scratch on top.
  /// Throws BudgetError, which names the smallest budget that works.
  static MemoryPlan resolve(const MemoryNeeds& needs, const MemorySize& memory, std::size_t sessions = 1);

  /// A table for people, a line each part.
  std::string table() const;
};

namespace detail {

inline constexpr std::size_t kSlotBytes = 1u << 20;  // long enough that the fixed cost of a read is small
inline constexpr std::size_t kMostSlots = 8;         // reads in flight
inline constexpr std::size_t kLeastSlots = 2;        // one is computed while the other is read

inline std::size_t largest_stride(const MemoryNeeds& needs) {
  std::size_t stride = 0;
  for (const storage::BundleLayout& layer : needs.layers) stride = std::max(stride, layer.stride);
  return round_up(stride, kPageBytes);
}

/// The ring for `spare` bytes of neurons: at most a quarter of them, since pinned bytes save reads and slots do not.
inline sparse::BundleStream::Ring choose_ring(const MemoryNeeds& needs, std::uint64_t spare) {
  const std::size_t stride = largest_stride(needs);
  const std::size_t slot = round_up(std::max(stride, kSlotBytes / stride * stride), kPageBytes);
  for (std::size_t n_slots = kMostSlots; n_slots >= kLeastSlots; --n_slots) {
    if (n_slots * slot <= spare / 4) return {n_slots, slot};
  }
  return {kLeastSlots, stride};
}

/// Pins bundles layer by layer in turn, so that every layer has as much to compute while its rest is read.
inline void pin(const MemoryNeeds& needs, std::uint64_t spare, MemoryPlan& plan) {
  for (bool room = true; room;) {
    room = false;
    for (std::size_t layer = 0; layer < needs.layers.size(); ++layer) {
      const std::size_t stride = needs.layers[layer].stride;
      if (plan.pinned_bundles[layer] == needs.layers[layer].n_bundles() || plan.pinned + stride > spare) continue;
      ++plan.pinned_bundles[layer];
      plan.pinned += stride;
      room = true;
    }
  }
}

}  // namespace detail

inline MemoryPlan MemoryPlan::resolve(const MemoryNeeds& needs, const MemorySize& memory, std::size_t sessions) {
  MemoryPlan plan;
  plan.resident = needs.resident;
  plan.neurons = needs.neurons();
  plan.weights = plan.resident + plan.neurons;
  plan.context = needs.context;
  plan.sessions = sessions;
  plan.kv = needs.kv * sessions;
  plan.scratch = needs.scratch;
  plan.pinned_bundles.assign(needs.layers.size(), 0);
  const std::uint64_t beside = plan.kv + plan.scratch;
  const std::uint64_t least_ring = detail::kLeastSlots * detail::largest_stride(needs);
  const std::uint64_t least_weights = plan.resident + std::min(plan.neurons, least_ring);
  plan.smallest = least_weights + beside;
  plan.budget = memory.share ? static_cast<std::uint64_t>(*memory.share * static_cast<double>(plan.weights)) + beside
                             : memory.bytes;
  if (plan.budget < plan.smallest) {
    const double share =
        std::ceil(1000.0 * static_cast<double>(least_weights) / static_cast<double>(plan.weights)) / 10;
    const std::string asked =
        memory.share ? concat(*memory.share * 100, "%, which is ", plan.budget) : concat(plan.budget);
    throw BudgetError(concat("[memory_plan] budget: expected at least ", plan.smallest, " bytes (", share, "%), got ",
                             asked, " bytes. Resident weights take ", format_bytes(plan.resident), ", the KV cache ",
                             format_bytes(plan.kv), " (context ", plan.context, ", sessions ", sessions, "), scratch ",
                             format_bytes(plan.scratch), ". A smaller context needs less."),
                      plan.smallest);
  }
  const std::uint64_t spare = plan.budget - beside - plan.resident;
  if (spare < plan.neurons) {
    plan.ring = detail::choose_ring(needs, spare);
    plan.stream = plan.ring.bytes();
  }
  detail::pin(needs, spare - plan.stream, plan);
  plan.total = plan.resident + plan.pinned + plan.stream + beside;
  return plan;
}

inline std::string MemoryPlan::table() const {
  std::string out;
  const auto line = [&out](const char* part, std::uint64_t bytes, const std::string& note) {
    char text[160];
    std::snprintf(text, sizeof text, "%-18s %10s  %s\n", part, format_bytes(bytes).c_str(), note.c_str());
    out += text;
  };
  char share[32];
  std::snprintf(share, sizeof share, "%.0f %%", 100 * pinned_share());
  line("resident weights", resident, "embedding, attention, norms, head");
  line("pinned neurons", pinned, concat(share, " of ", format_bytes(neurons)));
  line("stream slots", stream, concat(ring.n_slots, " reads of up to ", format_bytes(ring.slot_bytes)));
  line("KV cache", kv, concat(sessions, sessions == 1 ? " session of " : " sessions of ", context, " positions"));
  line("scratch", scratch, "activations, logits");
  line("total", total, concat("of a budget of ", format_bytes(budget), "; all weights: ", format_bytes(weights)));
  return out;
}

}  // namespace flashlm::inline v0::model

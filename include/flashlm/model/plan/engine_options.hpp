// SPDX-License-Identifier: Apache-2.0
/// engine_options.hpp: how an engine spends memory, threads and reads, and whom it tells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "flashlm/base/units.hpp"
#include "flashlm/model/graph/spec.hpp"
#include "flashlm/model/plan/governor.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/units/neuron_read_options.hpp"
#include "flashlm/units/select/selector_kind.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// How an engine spends memory, threads and reads, and whom it tells.
struct EngineOptions {
  /// Bytes for everything, a share of the packed weights, or by default what the system can spare.
  MemorySize memory{.automatic = true};
  /// Positions a session; 0: the model's, at most 4096, and fewer where a budget that is no share
  /// holds no more.
  std::size_t context = 0;
  std::size_t parallel =
      1;              // sessions that have room from the start; each further one displaces weights
  int n_threads = 0;  // for computing; 0: one a hardware thread
  std::size_t max_batch = 256;  // tokens of a prompt that share one pass over the weights
  std::string reader = "auto";  // auto, threads, uring
  /// Which neurons leave DRAM first: combined, window, lru, frequency, none. The policy paper
  /// multiplies all that are there: the only option that changes results.
  std::string policy = "auto";
  std::optional<std::uint32_t>
      window{};  // tokens whose neurons stay, for the policies window and paper
  units::NeuronReadOptions neuron_reads{};  // how the neurons that a selector chose are read
  bool lock_memory = false;                 // keeps everything that is allocated out of swap
  bool governed = true;                     // gives pinned weights back when memory becomes short
  double stall_seconds = 5;  // after so long without an answer of the device, on_stall is called
  std::function<void(const storage::Stall&)> on_stall{};
  /// Called about ten times a second while a step computes or waits; may throw to stop it.
  std::function<void()> on_wait{};
  Governor::Sensor sensor{};  // of memory; empty: the system's
  MemoryLimit limit{};        // what bounds an automatic budget; found when an engine is opened
  /// Called while weights are read at opening, with bytes done and in total; may throw to stop.
  std::function<void(std::size_t, std::size_t)> on_progress{};
};

/// The options with what they leave to the model filled in. Throws ArgumentError for what is out of
/// range or unknown.
EngineOptions checked(EngineOptions options, const ModelSpec& spec,
                      units::SelectorKind selector = units::SelectorKind::dense);

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/plan/engine_options.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// engine_options.hpp: how an engine spends memory, threads and reads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/model/config.hpp"
#include "flashlm/sparse/eviction.hpp"
#include "flashlm/sparse/neuron_reads.hpp"

namespace flashlm::inline v0::model {

/// How an engine spends memory, threads and reads.
struct EngineOptions {
  MemorySize memory{0, 0.5};                 // bytes for everything, or a share of the packed weights
  std::size_t context = 0;                   // positions a session; 0: the model's, at most 4096
  int n_threads = 0;                         // for computing; 0: one a hardware thread
  std::size_t max_batch = 256;               // tokens of a prompt that share one pass over the weights
  std::string reader = "auto";               // auto, threads, uring
  std::string policy = "auto";               // which neurons leave DRAM first: combined, window, lru, frequency, none
  std::optional<std::uint32_t> window{};     // tokens whose neurons stay, for the policy window
  sparse::NeuronReadOptions neuron_reads{};  // how the neurons that a selector chose are read
  /// Called while weights are read at opening, with bytes done and in total; may throw to stop.
  std::function<void(std::size_t, std::size_t)> on_progress{};
};

/// The options with what they leave to the model filled in. Throws ArgumentError for what is out of range or unknown.
inline EngineOptions checked(EngineOptions options, const ModelConfig& config) {
  constexpr std::size_t kDefaultContext = 4096;  // a model's own maximum may need a KV cache of many GiB
  if (options.context == 0) options.context = std::min(config.max_context, kDefaultContext);
  if (options.context > config.max_context) {
    throw ArgumentError(
        concat("[engine] context: expected at most the model's ", config.max_context, ", got ", options.context));
  }
  sparse::make_eviction(options.policy, options.window);  // throws for what is not known
  if (options.max_batch == 0) throw ArgumentError("[engine] max_batch: expected 1 or more, got 0");
  options.max_batch = std::min(options.max_batch, options.context);
  return options;
}

}  // namespace flashlm::inline v0::model

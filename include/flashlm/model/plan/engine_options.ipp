// SPDX-License-Identifier: Apache-2.0
/// engine_options.ipp: the bodies of engine_options.hpp.
#pragma once

#include "flashlm/model/plan/engine_options.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"
#include "flashlm/units/eviction.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE EngineOptions checked(EngineOptions options, const ModelSpec& spec,
                                     units::SelectorKind selector) {
  constexpr std::size_t kDefaultContext =
      4096;  // a model's own maximum may need a KV cache of many GiB
  if (options.context == 0) options.context = std::min(spec.max_context, kDefaultContext);
  if (options.context > spec.max_context) {
    throw ArgumentError(concat("[engine] context: expected at most the model's ", spec.max_context,
                               ", got ", options.context));
  }
  units::make_eviction(options.policy, options.window);  // throws for what is not known
  if (selector == units::SelectorKind::dense && (options.policy != "auto" || options.window)) {
    throw ArgumentError(
        concat("[engine] policy: expected auto and no window for the selector dense, got ",
               options.policy, options.window ? concat(" and ", *options.window) : std::string(),
               ". Every neuron is needed for every token: there is nothing to choose."));
  }
  if (options.parallel == 0)
    throw ArgumentError("[engine] parallel: expected 1 or more sessions, got 0");
  if (options.max_batch == 0) throw ArgumentError("[engine] max_batch: expected 1 or more, got 0");
  if (!(options.stall_seconds > 0)) {
    throw ArgumentError(
        concat("[engine] stall_seconds: expected more than 0, got ", options.stall_seconds));
  }
  options.max_batch = std::min(options.max_batch, options.context);
  return options;
}

}  // namespace flashlm::inline FLASHLM_ABI::model

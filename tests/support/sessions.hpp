// SPDX-License-Identifier: Apache-2.0
/// sessions.hpp: an engine for sessions of a tiny model, and logits that outlive a step.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "support/tiny_model.hpp"

namespace support::sessions {

inline std::shared_ptr<flashlm::model::Engine> engine(const TinyModel& tiny,
                                                      std::size_t max_batch = 8) {
  flashlm::model::EngineOptions options;
  options.memory = {0, 0.6};
  options.max_batch = max_batch;
  return std::make_shared<flashlm::model::Engine>(flashlm::model::Model::open(tiny.path()),
                                                  options);
}

inline std::vector<float> copy(std::span<const float> logits) {
  return {logits.begin(), logits.end()};
}

}  // namespace support::sessions

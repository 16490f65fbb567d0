// SPDX-License-Identifier: Apache-2.0
/// kv_stores.hpp: engines, prompts without a store, and the files of one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "flashlm/model/engine.hpp"
#include "flashlm/model/session.hpp"
#include "support/tiny_model.hpp"

namespace support::kv_stores {

inline constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30;

inline TinyShape long_shape() {
  TinyShape shape;
  shape.context = 500;
  return shape;
}

inline std::shared_ptr<flashlm::model::Engine> engine(const TinyModel& tiny,
                                                      std::size_t max_batch = 100) {
  flashlm::model::EngineOptions options;
  options.memory = {0, 0.7};
  options.max_batch = max_batch;
  options.n_threads = 1;
  return std::make_shared<flashlm::model::Engine>(flashlm::model::Model::open(tiny.path()),
                                                  options);
}

inline std::vector<float> copy(std::span<const float> logits) {
  return {logits.begin(), logits.end()};
}

/// The logits of a session that has no store.
inline std::vector<float> fresh(const std::shared_ptr<flashlm::model::Engine>& engine,
                                std::span<const flashlm::Token> tokens) {
  flashlm::model::Session session(engine);
  return copy(session.prefill(tokens));
}

/// The files of a store but its lock, sorted.
inline std::vector<std::filesystem::path> blocks(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename() != "lock") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace support::kv_stores

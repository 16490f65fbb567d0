// SPDX-License-Identifier: Apache-2.0
/// json.hpp: JSON that a test makes with nlohmann's, as flashlm reads it.
#pragma once

#include <nlohmann/json.hpp>

#include "flashlm/storage/format/json.hpp"

namespace support {

/// An object.
inline flashlm::storage::Json read_json(const nlohmann::json& json) {
  return flashlm::storage::parse_foreign_json(json.dump(), "test", "test");
}

inline flashlm::storage::Json read_json(const nlohmann::ordered_json& json) {
  return flashlm::storage::parse_foreign_json(json.dump(), "test", "test");
}

/// The inverse.
inline nlohmann::json nlohmann_json(const flashlm::storage::Json& json) {
  return nlohmann::json::parse(json.dump());
}

}  // namespace support

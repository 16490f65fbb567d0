// SPDX-License-Identifier: Apache-2.0
/// kv_shape.hpp: a spec of which only what shapes a KV cache is filled in.
#pragma once

#include <cstddef>
#include <vector>

#include "flashlm/model/graph/spec.hpp"

namespace support {

inline flashlm::model::ModelSpec kv_shape(std::size_t n_layers, std::size_t n_kv_heads,
                                          std::size_t head_dim) {
  flashlm::model::PartSpec part;
  part.attention.heads = part.attention.kv_heads = n_kv_heads;
  part.attention.head_dim = part.attention.value_dim = head_dim;
  flashlm::model::StackSpec stack;
  stack.kinds.push_back({{part}, {}, false});
  stack.layers.assign(n_layers, 0);
  flashlm::model::ModelSpec spec;
  spec.stacks.push_back(stack);
  return spec;
}

}  // namespace support

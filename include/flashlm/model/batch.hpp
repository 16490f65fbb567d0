// SPDX-License-Identifier: Apache-2.0
/// batch.hpp: what a pass over the weights is given.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/base/token.hpp"
#include "flashlm/model/graph/spec.hpp"
#include "flashlm/model/kv/kv_cache.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// What a pass over the weights is for; statistics keep the two apart.
enum class Phase { prefill, decode };

/// Refuses what Engine::forward can not run. Throws ShapeError for sizes, ArgumentError for ids.
void check_batch(const ModelSpec& spec, std::size_t max_batch, const KvCache& kv, std::size_t first,
                 std::span<const Token> tokens, std::span<const float> logits);

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/batch.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// kv_fingerprint.hpp: names everything that keys and values depend on, beside the tokens.
#pragma once

#include <string_view>

#include "flashlm/base/dtype.hpp"
#include "flashlm/model/graph/model.hpp"
#include "flashlm/storage/format/sha256.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Goes up by one when a kernel or the graph gives other bits than before; stored keys and values
/// are then unknown. tests/model/kv/kv_fingerprint_test.cpp holds the bits of each number.
inline constexpr int kNumerics = 3;

/// The SHA-256 of what makes two models give the same keys and values for the same tokens, bit for
/// bit: weights, shape, graph, rope, selector, number format of the cache, instruction set, and how
/// this version computes.
///
/// Budget, context, threads, reader and batch change no bit, and tokenizer and chat template speak
/// in tokens: they are not in it. Neither is where the model came from. `engine_numerics` is
/// Engine::numerics(): results of the policy paper are kept apart, though they differ from run to
/// run. Thread-safe.
storage::Digest kv_fingerprint(const Model& model, DType kv_dtype,
                               std::string_view engine_numerics = {});

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/kv/kv_fingerprint.ipp"
#endif

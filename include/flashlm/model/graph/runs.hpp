// SPDX-License-Identifier: Apache-2.0
/// runs.hpp: which graphs the engine computes.
#pragma once

#include <string_view>

#include "flashlm/model/graph/spec.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Throws FormatError for the first feature of `spec` that the engine does not compute: names its
/// field, and says what is computed in its place. `file` stands in messages.
///
/// The packer and `Model::open` ask this one function: whatever packs, opens.
void require_runs(const ModelSpec& spec, std::string_view file);

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/graph/runs.ipp"
#endif

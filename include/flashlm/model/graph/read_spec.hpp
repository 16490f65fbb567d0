// SPDX-License-Identifier: Apache-2.0
/// read_spec.hpp: the graph in flashlm.json, read strictly.
#pragma once

#include <string_view>

#include "flashlm/model/graph/spec.hpp"
#include "flashlm/storage/format/json_value.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// The graph that `json` describes (docs/graph.md), every number in its range and in keeping with
/// the others: heads are shared evenly, products of sizes fit into 63 bits, groups ascend.
///
/// Says nothing about what the engine computes: `require_runs` does. Throws FormatError that names
/// the field, for what is missing, out of range, unknown or misspelt; `file` stands in messages.
ModelSpec read_spec(const storage::JsonValue& json, std::string_view file);

/// The same of a text. Throws FormatError also for what is no JSON.
ModelSpec parse_spec(std::string_view text, std::string_view file);

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/graph/read_spec.ipp"
#endif

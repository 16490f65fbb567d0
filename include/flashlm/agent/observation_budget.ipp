// SPDX-License-Identifier: Apache-2.0
/// observation_budget.ipp: the bodies of observation_budget.hpp.
#pragma once

#include "flashlm/agent/observation_budget.hpp"

namespace flashlm::inline FLASHLM_ABI::agent {

FLASHLM_INLINE std::string cut_to_tokens(std::string_view text, std::size_t budget,
                                         const text::ChatModel& model) {
  return cut_to_tokens(text, budget,
                       [&model](const std::string& part) { return model.count_tokens(part); });
}

}  // namespace flashlm::inline FLASHLM_ABI::agent

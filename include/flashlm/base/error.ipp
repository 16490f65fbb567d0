// SPDX-License-Identifier: Apache-2.0
/// error.ipp: the bodies of error.hpp.
#pragma once

#include "flashlm/base/error.hpp"

#include <system_error>

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_ONCE IoError::IoError(const std::string& message, int code, const std::string& path)
    : Error(message + ": " + std::generic_category().message(code) + " (" + path + ")"),
      code_(code),
      path_(path) {}

FLASHLM_ONCE BudgetError::BudgetError(const std::string& message, std::uint64_t smallest_bytes)
    : Error(message), smallest_bytes_(smallest_bytes) {}

}  // namespace flashlm::inline FLASHLM_ABI

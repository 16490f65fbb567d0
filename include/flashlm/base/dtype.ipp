// SPDX-License-Identifier: Apache-2.0
/// dtype.ipp: the bodies of dtype.hpp.
#pragma once

#include "flashlm/base/dtype.hpp"

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI {

FLASHLM_INLINE std::string names_of(bool (*holds)(DType)) {
  std::string names, last;
  for (const NumberFormat& format : kNumberFormats) {
    if (!holds(format.dtype)) continue;
    if (!last.empty()) names += (names.empty() ? "" : ", ") + last;
    last = format.name;
  }
  return names.empty() ? last : names + " or " + last;
}

FLASHLM_INLINE DType parse_dtype(std::string_view word) {
  for (const NumberFormat& format : kNumberFormats) {
    if (format.name == word) return format.dtype;
  }
  constexpr auto any = [](DType) { return true; };
  throw FormatError(
      concat("[dtype] unknown number format: expected ", names_of(any), ", got '", word, "'"));
}

}  // namespace flashlm::inline FLASHLM_ABI

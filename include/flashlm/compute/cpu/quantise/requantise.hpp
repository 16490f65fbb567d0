// SPDX-License-Identifier: Apache-2.0
/// requantise.hpp: rows of weights from one number format to another, and what that loses.
#pragma once

#include <cstddef>

#include "flashlm/base/dtype.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// What a conversion has seen and lost. relative RMS error = sqrt(squared_error / squares).
struct Loss {
  float largest = 0;         // of the magnitudes that came in; not finite if one of them is not
  double squares = 0;        // the sum of their squares
  double squared_error = 0;  // the sum of the squares of out - in

  Loss& operator+=(const Loss& other) noexcept;
};

/// Writes `n` numbers of `from` as numbers of `to`, as `from_f32` rounds, and tells what was lost.
///
/// Rows of a block format are whole blocks. With `from` = `to` it only looks: `out` stays as it is,
/// and of the loss `largest` alone is told. Throws ArgumentError for u8. Allocates nothing.
/// Thread-safe.
Loss requantise(DType from, const std::byte* row, std::size_t n, DType to, std::byte* out);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/quantise/requantise.ipp"
#endif

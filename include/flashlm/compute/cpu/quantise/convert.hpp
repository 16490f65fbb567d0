// SPDX-License-Identifier: Apache-2.0
/// convert.hpp: rows of numbers from one format to another.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/base/dtype.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// out[i] = row[i], exactly. row [out.size()] of any number format but u8; it needs no alignment.
///
/// The length is whole blocks.
/// Throws ArgumentError for u8. Allocates nothing. Thread-safe.
void to_f32(DType dtype, const std::byte* row, std::span<float> out);

/// Whether from_f32 can round to that format. Thread-safe.
bool can_round(DType dtype);

/// row[i] = x[i], rounded to nearest even; a block format as ggml's reference rounds. It needs no
/// alignment.
///
/// Beyond the range of f16 a number becomes infinity; a NaN stays a NaN, its payload may change. A
/// block with a number that is not finite becomes NaN. The length is whole blocks. Throws
/// ArgumentError for u8, and where can_round is false. Allocates nothing. Thread-safe.
void from_f32(std::span<const float> x, DType dtype, std::byte* row);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/quantise/convert.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// tiling.hpp: rows of blocks to tiles (base/tiles.hpp). Bytes change their places, nothing else.
#pragma once

#include <cstddef>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

/// Makes tiles of rows of blocks, strip after strip; rows that are missing in the last strip become
/// zeros.
///
/// rows [rows, cols] in a format of blocks, cols whole blocks; `tiles` has tiles_bytes(). Throws
/// ArgumentError for a format without blocks. Allocates nothing. Thread-safe.
void to_tiles(const MatrixView& rows, std::byte* tiles);

}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/quantise/tiling.ipp"
#endif

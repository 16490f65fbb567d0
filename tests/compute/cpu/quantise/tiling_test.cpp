// SPDX-License-Identifier: Apache-2.0
#include "flashlm/compute/cpu/quantise/tiling.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "flashlm/base/tiles.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::kernels;

namespace {

/// Number `index` of a block's quants, as bits.
unsigned quant_of_block(DType dtype, const std::byte* quants, std::size_t index) {
  if (dtype == DType::q8_0) return std::to_integer<unsigned>(quants[index]);
  const unsigned pair = std::to_integer<unsigned>(quants[index % 16]);
  return index < 16 ? pair & 15 : pair >> 4;
}

/// The quant of a row and a column of a tile, as bits, by the definition in base/tiles.hpp.
unsigned quant_of_tile(DType dtype, const std::byte* tile, std::size_t row, std::size_t column) {
  const std::byte* quants = tile + 64 + row * 4;
  if (dtype == DType::q8_0) return std::to_integer<unsigned>(quants[column / 4 * 128 + column % 4]);
  const unsigned pair = std::to_integer<unsigned>(quants[column / 8 * 128 + column % 4]);
  return column % 8 < 4 ? pair & 15 : pair >> 4;
}

}  // namespace

TEST_CASE(
    "tiles hold the scales of 32 rows, then their quants, four columns of every row at a time") {
  const DType dtype = GENERATE(DType::q8_0, DType::q4_0);
  const std::size_t n_rows = GENERATE(32u, 70u), cols = 96, stride = row_bytes(dtype, cols) + 6;
  const std::vector<std::byte> rows = support::random_bytes(n_rows * stride, 3);
  std::vector<std::byte> bytes(tiles_bytes(dtype, n_rows, cols), std::byte{0x5a});
  REQUIRE(bytes.size() == (n_rows + 31) / 32 * 32 * row_bytes(dtype, cols));
  to_tiles({rows.data(), dtype, n_rows, cols, stride}, bytes.data());

  const TilesView tiles = TilesView::dense(bytes.data(), dtype, n_rows, cols);
  for (std::size_t row = 0; row < (n_rows + 31) / 32 * 32; ++row) {
    for (std::size_t k = 0; k < cols; ++k) {
      const std::byte* tile = tiles.tile(row / 32, k / 32);
      std::uint16_t scale = 0, expected = 0;
      std::memcpy(&scale, tile + row % 32 * 2, 2);
      unsigned quant = 0;
      if (row < n_rows) {
        const std::byte* block = rows.data() + row * stride + k / 32 * row_bytes(dtype, 32);
        std::memcpy(&expected, block, 2);
        quant = quant_of_block(dtype, block + 2, k % 32);
      }
      REQUIRE(scale == expected);
      REQUIRE(quant_of_tile(dtype, tile, row % 32, k % 32) == quant);
    }
  }
}

TEST_CASE("no rows make no tiles") {
  to_tiles({nullptr, DType::q8_0, 0, 32, 0}, nullptr);
  CHECK(tiles_bytes(DType::q4_0, 0, 32) == 0);
}

// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/column_tiles.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;

namespace {

/// Number `index` of 32 that are packed as in a block, as bits.
unsigned quant(DType dtype, const std::byte* packed, std::size_t index) {
  if (dtype == DType::q8_0) return std::to_integer<unsigned>(packed[index]);
  const unsigned pair = std::to_integer<unsigned>(packed[index % 16]);
  return index < 16 ? pair & 15 : pair >> 4;
}

}  // namespace

TEST_CASE("a column tile holds the scales of 32 columns, then a row of their quants for each neuron") {
  const DType dtype = GENERATE(DType::q8_0, DType::q4_0);
  const std::size_t dim = 96, block_bytes = row_bytes(dtype, 32), stride = 5 * block_bytes + 6;
  const std::vector<std::byte> matrix = support::random_bytes(dim * stride, 3);
  std::vector<std::byte> tiles(column_tile_bytes(dtype, dim));
  CHECK(tiles.size() == dim * block_bytes);
  to_column_tiles({matrix.data() + 2 * block_bytes, dtype, dim, 32, stride}, tiles.data());

  for (std::size_t column = 0; column < dim; ++column) {
    const std::byte* block = matrix.data() + column * stride + 2 * block_bytes;
    const std::byte* tile = tiles.data() + column / 32 * 32 * block_bytes;
    REQUIRE(std::memcmp(tile + column % 32 * 2, block, 2) == 0);
    for (std::size_t neuron = 0; neuron < 32; ++neuron) {
      const std::byte* row = tile + 64 + neuron * (block_bytes - 2);
      REQUIRE(quant(dtype, row, column % 32) == quant(dtype, block + 2, neuron));
    }
  }
}

TEST_CASE("blocks to column tiles and back is the identity, and touches nothing between the blocks") {
  const DType dtype = GENERATE(DType::q8_0, DType::q4_0);
  const std::size_t dim = 64, stride = 3 * row_bytes(dtype, 32);
  std::vector<std::byte> matrix = support::random_bytes(dim * stride, 4);
  const std::vector<std::byte> expected = matrix;
  std::vector<std::byte> tiles(column_tile_bytes(dtype, dim));
  to_column_tiles({matrix.data(), dtype, dim, 32, stride}, tiles.data());
  for (std::size_t column = 0; column < dim; ++column) {
    std::memset(matrix.data() + column * stride, 0, row_bytes(dtype, 32));
  }
  from_column_tiles(dtype, dim, tiles.data(), matrix.data(), stride);
  CHECK(matrix == expected);
}

TEST_CASE("no columns make no tiles") {
  to_column_tiles({nullptr, DType::q8_0, 0, 32, 0}, nullptr);
  from_column_tiles(DType::q4_0, 0, nullptr, nullptr, 0);
  CHECK(column_tile_bytes(DType::q4_0, 0) == 0);
}

// SPDX-License-Identifier: Apache-2.0
/// tiles_test.cpp: where the tiles of a matrix lie.
#include "flashlm/base/tiles.hpp"

#include <array>

#include "support/catch.hpp"

using namespace flashlm;

TEST_CASE("a tile has the bytes of its blocks") {
  CHECK(tile_bytes(DType::q8_0) == 32 * 34);
  CHECK(tile_bytes(DType::q4_0) == 32 * 18);
  CHECK(strip_bytes(DType::q4_0, 96) == 3 * tile_bytes(DType::q4_0));
  CHECK(strip_bytes(DType::q8_0, 0) == 0);
}

TEST_CASE("a strip that is not full counts") {
  CHECK(n_strips(0) == 0);
  CHECK(n_strips(1) == 1);
  CHECK(n_strips(32) == 1);
  CHECK(n_strips(33) == 2);
}

TEST_CASE("tiles without gaps lie strip after strip") {
  const std::array<std::byte, 1> memory{};
  const TilesView tiles = TilesView::dense(memory.data(), DType::q8_0, 70, 96);
  CHECK(tiles.tile(0, 0) == memory.data());
  CHECK(tiles.tile(0, 2) - memory.data() == 2 * 1088);
  CHECK(tiles.tile(2, 1) - memory.data() == (2 * 3 + 1) * 1088);
}

TEST_CASE("a slice of tiles has the rows from a strip on") {
  const std::array<std::byte, 1> memory{};
  const TilesView bundles{memory.data(), DType::q4_0, 128, 64, tile_bytes(DType::q4_0), 4096};
  const TilesView rows = bundles.slice(64, 100);
  CHECK(rows.rows == 36);
  CHECK(rows.cols == 64);
  CHECK(rows.dtype == DType::q4_0);
  CHECK(rows.tile(0, 0) == bundles.tile(2, 0));
  CHECK(rows.tile(1, 1) - memory.data() == 3 * 576 + 4096);
}

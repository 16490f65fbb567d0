// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/bundle_layout.hpp"

#include <cstddef>
#include <limits>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "support/catch.hpp"

using namespace flashlm;
using namespace flashlm::storage;

TEST_CASE("a layout counts its bundles and the neurons of the last one") {
  const BundleLayout layout = BundleLayout::make(100, 32, 64, true, DType::f16);
  CHECK(layout.n_bundles() == 4);
  CHECK(layout.neurons_in(0) == 32);
  CHECK(layout.neurons_in(3) == 4);
  CHECK(layout.payload_bytes() == 3u * 32 * 64 * 2);
  CHECK(layout.total_bytes() == 4 * layout.stride);
  CHECK(BundleLayout::make(64, 32, 64, false, DType::f32).n_bundles() == 2);
  CHECK(BundleLayout::make(64, 32, 64, false, DType::f32).payload_bytes() == 2u * 32 * 64 * 4);
}

TEST_CASE("the stride is a multiple of 512, and of 4096 where that costs under 5 percent") {
  Random random(4);
  for (int i = 0; i < 2000; ++i) {
    const std::size_t per = random.next() % 2 ? 1 : 32;
    const BundleLayout layout =
        BundleLayout::make(1000, per, 1 + random.next() % 9000, random.next() % 2, DType::f16);
    const std::size_t payload = layout.payload_bytes();
    const std::size_t page = (payload + 4095) / 4096 * 4096;
    REQUIRE(layout.stride >= payload);
    REQUIRE(layout.stride % 512 == 0);
    if (static_cast<double>(page - payload) < 0.05 * static_cast<double>(payload)) {
      REQUIRE(layout.stride == page);
    } else {
      REQUIRE(layout.stride - payload < 512);
    }
  }
}

TEST_CASE("a quantised layout has bundles of one block: 32 neurons, a dim of whole blocks") {
  for (const DType dtype : {DType::q8_0, DType::q4_0}) {
    const BundleLayout layout = BundleLayout::make(96, 32, 64, true, dtype);
    CHECK(layout.n_bundles() == 3);
    CHECK(layout.payload_bytes() == 3u * 32 * 2 * (dtype == DType::q8_0 ? 34 : 18));
    CHECK(layout.matrix_bytes() == 64 * row_bytes(dtype, 32));  // a block for each column, too
    CHECK_THROWS_AS(BundleLayout::make(96, 1, 64, true, dtype), ArgumentError);
    CHECK_THROWS_AS(BundleLayout::make(96, 64, 64, true, dtype), ArgumentError);
    CHECK_THROWS_AS(BundleLayout::make(100, 32, 64, true, dtype), ArgumentError);
    CHECK_THROWS_AS(BundleLayout::make(96, 32, 65, true, dtype), ArgumentError);
    CHECK_THROWS_AS(BundleLayout::make(96, 32, std::size_t{1} << 60, true, dtype), ArgumentError);
    CHECK_THROWS_AS(BundleLayout::make(std::size_t{1} << 60, 32, 64, true, dtype), ArgumentError);
    BundleLayout changed = layout;
    changed.neurons_per_bundle = 16;
    CHECK_THAT(changed.problem(), Catch::Matchers::ContainsSubstring("whole bundles of 32"));
  }
}

TEST_CASE(
    "counts of zero, numbers that are no weights and bytes that overflow are ArgumentErrors") {
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  CHECK_THROWS_AS(BundleLayout::make(0, 1, 1, true, DType::f32), ArgumentError);
  CHECK_THROWS_AS(BundleLayout::make(1, 0, 1, true, DType::f32), ArgumentError);
  CHECK_THROWS_AS(BundleLayout::make(1, 1, 0, true, DType::f32), ArgumentError);
  CHECK_THROWS_AS(BundleLayout::make(1, 1, 1, true, DType::u8), ArgumentError);
  for (const std::size_t huge :
       {kMost, kMost / 2, kMost / 4, std::size_t{1} << 62, std::size_t{1} << 61}) {
    CHECK_THROWS_AS(BundleLayout::make(1, huge, 1, true, DType::f32), ArgumentError);
    CHECK_THROWS_AS(BundleLayout::make(1, 1, huge, true, DType::f32), ArgumentError);
    CHECK_THROWS_AS(BundleLayout::make(huge, 1, 1, true, DType::f32), ArgumentError);
  }
  CHECK_THROWS_AS(
      BundleLayout::make(8, std::size_t{1} << 32, std::size_t{1} << 32, true, DType::f32),
      ArgumentError);
}

TEST_CASE("a stride that is too small or overflows is a problem in words") {
  BundleLayout layout = BundleLayout::make(100, 32, 64, true, DType::f16);
  CHECK(layout.problem().empty());
  layout.stride = layout.payload_bytes() - 1;
  CHECK_THAT(layout.problem(), Catch::Matchers::ContainsSubstring("12288"));
  layout.stride = std::size_t{1} << 61;
  CHECK_FALSE(layout.problem().empty());
  layout.stride = std::size_t{1} << 62;
  CHECK_FALSE(layout.problem().empty());
  layout.stride = std::numeric_limits<std::size_t>::max();
  CHECK_FALSE(layout.problem().empty());
}

TEST_CASE("a view shows gate, up and down rows one behind the other") {
  const BundleLayout layout = BundleLayout::make(5, 2, 3, true, DType::f32);
  const std::vector<std::byte> bytes(layout.stride);
  const BundleView whole = view(layout, bytes.data(), 0);
  CHECK(whole.gate.data == bytes.data());
  CHECK(whole.up.data == bytes.data() + 2 * 3 * 4);
  CHECK(whole.down.data == bytes.data() + 2 * 2 * 3 * 4);
  for (const MatrixView& matrix : {whole.gate, whole.up, whole.down}) {
    CHECK(matrix.rows == 2);
    CHECK(matrix.cols == 3);
    CHECK(matrix.stride == 12);
  }
  const BundleView last = view(layout, bytes.data(), 2);
  CHECK(last.gate.rows == 1);
  CHECK(last.up.rows == 1);
  CHECK(last.down.rows == 1);
  CHECK(last.down.data == whole.down.data);
}

TEST_CASE("a view without a gate begins with the up rows") {
  const BundleLayout layout = BundleLayout::make(5, 2, 3, false, DType::f16);
  const std::vector<std::byte> bytes(layout.stride);
  const BundleView whole = view(layout, bytes.data(), 0);
  CHECK(whole.gate.data == nullptr);
  CHECK(whole.gate.rows == 0);
  CHECK(whole.up.data == bytes.data());
  CHECK(whole.down.data == bytes.data() + 12);
}

TEST_CASE(
    "tiles of bundles are matrices of all their neurons: gate and up have them as rows, down as "
    "columns") {
  const DType dtype = GENERATE(DType::q8_0, DType::q4_0);
  const bool gated = GENERATE(true, false);
  const BundleLayout layout = BundleLayout::make(160, 32, 96, gated, dtype);
  const std::vector<std::byte> bytes(4 * layout.stride);
  const BundleTiles got = tiles(layout, bytes.data(), 4);
  CHECK(got.gate.data == (gated ? bytes.data() : nullptr));
  CHECK(got.gate.rows == (gated ? 128u : 0u));
  CHECK(got.up.data == bytes.data() + (gated ? layout.matrix_bytes() : 0));
  CHECK(got.down.data == got.up.data + layout.matrix_bytes());
  CHECK(got.up.rows == 128);
  CHECK(got.up.cols == 96);
  CHECK(got.up.tile(3, 2) == got.up.data + 3 * layout.stride + 2 * tile_bytes(dtype));
  CHECK(got.down.rows == 96);
  CHECK(got.down.cols == 128);
  CHECK(got.down.tile(2, 3) == got.down.data + 3 * layout.stride + 2 * tile_bytes(dtype));
}

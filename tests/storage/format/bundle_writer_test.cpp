// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/bundle_writer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <vector>

#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/quantise/tiling.hpp"
#include "flashlm/storage/format/safetensors.hpp"
#include "support/catch.hpp"
#include "support/model_folder.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Whether the rows of `got` are rows [first, first + got.rows) of `expected`.
bool same_rows(const MatrixView& got, const MatrixView& expected, std::size_t first) {
  const std::size_t bytes = row_bytes(expected.dtype, expected.cols);
  for (std::size_t row = 0; row < got.rows; ++row) {
    if (std::memcmp(got.row(row), expected.row(first + row), bytes) != 0) return false;
  }
  return got.dtype == expected.dtype && got.cols == expected.cols;
}

}  // namespace

TEST_CASE("write then view is the identity for random layouts, and padding is zeros") {
  const TempFolder folder(memory_folder());
  Random random(5);
  for (int round = 0; round < 40; ++round) {
    const DType dtype = std::array{DType::f32, DType::f16, DType::bf16, DType::q8_0,
                                   DType::q4_0}[random.next() % 5];
    const std::size_t block = is_block(dtype) ? 32 : 1;
    const std::size_t per =
        is_block(dtype) ? 32 : std::array<std::size_t, 4>{1, 2, 7, 32}[random.next() % 4];
    const BundleLayout layout =
        BundleLayout::make(block * (1 + random.next() % (100 / block)), per,
                           block * (1 + random.next() % (90 / block)), random.next() % 2, dtype);
    const Neurons neurons = random_neurons(layout, random.next());
    BundleWriter writer(folder / "n", 12, layout);
    for (std::size_t done = 0; done < layout.n_neurons;) {
      const std::size_t left = layout.n_neurons - done;
      const std::size_t n = std::min(left, per * (random.next() % 4));
      const auto part = [&](const std::vector<std::byte>& matrix) {
        return matrix.empty() ? MatrixView{} : neurons.view(matrix).slice(done, n);
      };
      writer.write(part(neurons.gate), part(neurons.up), neurons.down_view(done, n));
      done += n;
    }
    const auto [file_record, layer_record] = writer.finish();
    REQUIRE(layer_record == LayerRecord{"n", "layers.12.bundles", layout});

    const Safetensors file = Safetensors::open(folder / "n");
    REQUIRE(file_record.bytes == file.size());
    REQUIRE(file_record.header_bytes == 4096);
    REQUIRE(file.metadata().at("format") == "flashlm");
    const TensorInfo& tensor = file.at("layers.12.bundles");
    REQUIRE(tensor.shape == std::vector<std::uint64_t>{layout.n_bundles(), layout.stride});
    std::vector<std::byte> bytes(tensor.extent.bytes);
    file.file().read(tensor.extent.offset, bytes);
    std::size_t zeros = bytes.size();
    for (std::size_t bundle = 0; bundle < layout.n_bundles(); ++bundle) {
      std::byte* const at = bytes.data() + bundle * layout.stride;
      const std::size_t first = bundle * per;
      if (is_block(dtype)) {
        std::vector<std::byte> tiles;
        const auto append = [&](const MatrixView& rows) {
          tiles.resize(tiles.size() + layout.matrix_bytes());
          kernels::to_tiles(rows, tiles.data() + tiles.size() - layout.matrix_bytes());
        };
        if (layout.gated) append(neurons.view(neurons.gate).slice(first, per));
        append(neurons.view(neurons.up).slice(first, per));
        append(neurons.down_view(first, per));
        REQUIRE(tiles.size() == layout.payload_bytes());
        REQUIRE(std::equal(tiles.begin(), tiles.end(), at));
        std::fill_n(at, tiles.size(), std::byte{0});
        zeros -= tiles.size();
        continue;
      }
      const BundleView got = view(layout, at, bundle);
      if (layout.gated) REQUIRE(same_rows(got.gate, neurons.view(neurons.gate), first));
      REQUIRE(same_rows(got.up, neurons.view(neurons.up), first));
      REQUIRE(same_rows(got.down, neurons.view(neurons.down), first));
      for (const MatrixView& matrix : {got.gate, got.up, got.down}) {
        const std::size_t n = matrix.rows * matrix.stride;
        std::fill_n(bytes.data() + (matrix.data == nullptr ? 0 : matrix.data - bytes.data()), n,
                    std::byte{0});
        zeros -= n;
      }
    }
    REQUIRE(zeros <= bytes.size());
    REQUIRE(std::count(bytes.begin(), bytes.end(), std::byte{0}) ==
            static_cast<std::ptrdiff_t>(bytes.size()));
  }
}

TEST_CASE("rows with gaps between them are written without gaps") {
  const TempFolder folder(memory_folder());
  const BundleLayout layout = BundleLayout::make(4, 2, 3, false, DType::f32);
  const auto wide = random_bytes(4 * 40, 1);
  const MatrixView view_of_wide{wide.data(), DType::f32, 4, 3, 40};
  BundleWriter writer(folder / "n", 0, layout);
  writer.write({}, view_of_wide, view_of_wide);
  writer.finish();
  const auto bytes = content(folder / "n");
  CHECK(std::equal(wide.begin() + 40, wide.begin() + 52, bytes.begin() + 4096 + 12));
}

TEST_CASE("a hollow file has the places of its bundles, and needs no neurons") {
  const TempFolder folder;
  const BundleLayout layout = BundleLayout::make(70, 32, 40, true, DType::f16);
  const auto [file, record] = BundleWriter(folder / "n", 3, layout).finish_hollow();
  CHECK(record == LayerRecord{"n", "layers.3.bundles", layout});
  CHECK(file.bytes == file.header_bytes + layout.total_bytes());
  CHECK(Safetensors::open(folder / "n").at("layers.3.bundles").extent.bytes ==
        layout.total_bytes());
}

TEST_CASE("wrong shapes are ShapeErrors, and the writer goes on") {
  const TempFolder folder(memory_folder());
  const BundleLayout layout = BundleLayout::make(7, 2, 3, true, DType::f16);
  const Neurons neurons = random_neurons(layout, 1);
  const MatrixView gate = neurons.view(neurons.gate);
  const MatrixView up = neurons.view(neurons.up);
  const MatrixView down = neurons.view(neurons.down);
  BundleWriter writer(folder / "n", 0, layout);
  const auto refused = [&](const MatrixView& a, const MatrixView& b, const MatrixView& c) {
    CHECK_THROWS_AS(writer.write(a, b, c), ShapeError);
  };
  MatrixView wide = up;
  wide.cols = 4;
  MatrixView other = up;
  other.dtype = DType::bf16;
  refused(gate, wide, down);
  refused(gate, up, wide);
  refused(wide, up, down);
  refused(gate, other, down);
  refused({}, up, down);
  refused(gate.slice(0, 6), up, down);
  refused(gate.slice(0, 3), up.slice(0, 3), down.slice(0, 3));
  writer.write(gate.slice(0, 6), up.slice(0, 6), down.slice(0, 6));
  refused(gate.slice(0, 2), up.slice(0, 2), down.slice(0, 2));
  CHECK_THROWS_WITH(writer.finish(), ContainsSubstring("expected 7, got 6"));
  writer.write(gate.slice(6, 1), up.slice(6, 1), down.slice(6, 1));
  refused(gate.slice(0, 1), up.slice(0, 1), down.slice(0, 1));
  CHECK_NOTHROW(writer.finish());

  const BundleLayout plain = BundleLayout::make(7, 2, 3, false, DType::f16);
  BundleWriter without(folder / "m", 0, plain);
  CHECK_THROWS_WITH(without.write(gate, up, down), ContainsSubstring("gate"));
}

TEST_CASE("a quantised down matrix comes in its own shape, and another one is a ShapeError") {
  const TempFolder folder(memory_folder());
  const BundleLayout layout = BundleLayout::make(64, 32, 96, true, DType::q4_0);
  const Neurons neurons = random_neurons(layout, 1);
  const MatrixView gate = neurons.view(neurons.gate), up = neurons.view(neurons.up);
  BundleWriter writer(folder / "n", 0, layout);
  CHECK_THROWS_WITH(writer.write(gate, up, neurons.view(neurons.down)),
                    ContainsSubstring("expected q4_0 [96, 64], got q4_0 [64, 96]"));
  CHECK_THROWS_AS(writer.write(gate.slice(0, 32), up.slice(0, 32), neurons.down_view(0, 64)),
                  ShapeError);
  CHECK_THROWS_AS(writer.write(gate.slice(0, 16), up.slice(0, 16), neurons.down_view(0, 16)),
                  ShapeError);
  writer.write(gate, up, neurons.down_view(0, 64));
  CHECK_NOTHROW(writer.finish());
}

TEST_CASE("a bad layout is an ArgumentError, a full disk an IoError, and neither leaves a file") {
  const TempFolder folder(memory_folder());
  CHECK_THROWS_AS(BundleWriter(folder / "n", 0, BundleLayout{}), ArgumentError);
  BundleLayout layout = BundleLayout::make(7, 2, 3, true, DType::f16);
  layout.stride = 1;
  CHECK_THROWS_AS(BundleWriter(folder / "n", 0, layout), ArgumentError);
  if (std::filesystem::exists("/dev/full")) {
    std::filesystem::create_symlink("/dev/full", folder / "full");
    CHECK_THROWS_AS(BundleWriter(folder / "full", 0, BundleLayout::make(7, 2, 3, true, DType::f16)),
                    IoError);
  }
  {
    BundleWriter unfinished(folder / "n", 0, BundleLayout::make(7, 2, 3, true, DType::f16));
  }
  CHECK(folder.names().empty());
}

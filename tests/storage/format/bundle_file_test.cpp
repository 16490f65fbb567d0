// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/bundle_file.hpp"

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>
#include <vector>

#include "flashlm/storage/readers/threads_reader.hpp"
#include "support/catch.hpp"
#include "support/model_folder.hpp"
#include "support/temp_folder.hpp"

using namespace flashlm;
using namespace flashlm::storage;
using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

std::vector<BundleLayout> two_layers() {
  return {BundleLayout::make(100, 32, 24, true, DType::f16),
          BundleLayout::make(3, 1, 7, false, DType::f32)};
}

}  // namespace

TEST_CASE("every neuron that was written is found through manifest, place and reader") {
  const TempFolder folder;
  make_model_folder(folder.path(), two_layers());
  for (const FileMode mode : {FileMode::buffered, FileMode::direct}) {
    BundleFile opened = BundleFile::open(folder.path(), Manifest::open(folder.path()), mode);
    const File* files = opened.files().data();
    const BundleFile bundles = std::move(opened);
    CHECK(bundles.files().data() == files);
    ThreadsReader reader(bundles.files());
    REQUIRE(bundles.n_layers() == 2);
    for (std::size_t layer = 0; layer < 2; ++layer) {
      const BundleLayout& layout = bundles.layout(layer);
      REQUIRE(layout == two_layers()[layer]);
      const Neurons neurons = random_neurons(layout, layer);
      for (std::size_t bundle = 0; bundle < layout.n_bundles(); ++bundle) {
        const Place place = bundles.locate(layer, bundle);
        std::vector<std::byte> bytes(place.extent.bytes);
        const Read read[] = {{place.file, place.extent.offset, bytes}};
        reader.wait(reader.submit(read));
        const BundleView got = view(layout, bytes.data(), bundle);
        for (std::size_t row = 0; row < got.up.rows; ++row) {
          const std::size_t neuron = bundle * layout.neurons_per_bundle + row;
          const std::size_t n = got.up.stride;
          CHECK(std::memcmp(got.up.row(row), neurons.up.data() + neuron * n, n) == 0);
          CHECK(std::memcmp(got.down.row(row), neurons.down.data() + neuron * n, n) == 0);
          if (layout.gated)
            CHECK(std::memcmp(got.gate.row(row), neurons.gate.data() + neuron * n, n) == 0);
        }
      }
    }
  }
}

TEST_CASE("neighbouring bundles are one place") {
  const TempFolder folder;
  const BundleFile bundles =
      BundleFile::open(folder.path(), make_model_folder(folder.path(), two_layers()));
  const std::size_t stride = bundles.layout(0).stride;
  CHECK(bundles.locate(0, 0, 4) == Place{0, {4096, 4 * stride}});
  CHECK(bundles.locate(0, 1, 2) == Place{0, {4096 + stride, 2 * stride}});
  CHECK(bundles.locate(0, 4, 0).extent.empty());
  CHECK(bundles.locate(1, 2).file == 1);
}

TEST_CASE("bundles that do not exist are ArgumentErrors") {
  const TempFolder folder;
  const BundleFile bundles =
      BundleFile::open(folder.path(), make_model_folder(folder.path(), two_layers()));
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  CHECK_THROWS_AS(bundles.locate(2, 0), ArgumentError);
  CHECK_THROWS_AS(bundles.locate(0, 4), ArgumentError);
  CHECK_THROWS_AS(bundles.locate(0, 1, 4), ArgumentError);
  CHECK_THROWS_AS(bundles.locate(0, 1, kMost), ArgumentError);
  CHECK_THROWS_AS(bundles.locate(0, kMost, 2), ArgumentError);
}

TEST_CASE("layers in one file share it") {
  const TempFolder folder;
  const BundleLayout layout = BundleLayout::make(4, 1, 64, true, DType::f16);
  SafetensorsWriter writer(folder / "all", {{"a", DType::u8, {layout.n_bundles(), layout.stride}},
                                            {"b", DType::u8, {layout.n_bundles(), layout.stride}}});
  for (const char* name : {"a", "b"}) writer.write(name, random_bytes(layout.total_bytes(), 1));
  Manifest manifest;
  manifest.family = "llama";
  manifest.dtype = "f16";
  manifest.files = {writer.finish()};
  manifest.layers = {{"all", "a", layout}, {"all", "b", layout}};
  const BundleFile bundles = BundleFile::open(folder.path(), manifest);
  CHECK(bundles.files().size() == 1);
  CHECK(bundles.locate(1, 0) == Place{0, {4096 + layout.total_bytes(), layout.stride}});
}

TEST_CASE("a weight file that does not fit its layer is a FormatError that names both") {
  const TempFolder folder;
  const Manifest manifest = make_model_folder(folder.path(), two_layers());
  const auto refused = [&](const auto& change) {
    Manifest damaged = manifest;
    change(damaged.layers[0]);
    CHECK_THROWS_AS(BundleFile::open(folder.path(), damaged), FormatError);
    CHECK_THROWS_WITH(BundleFile::open(folder.path(), damaged),
                      ContainsSubstring(damaged.layers[0].file));
  };
  refused([](LayerRecord& record) { record.tensor = "none"; });
  refused([](LayerRecord& record) { record.layout.n_neurons = 200; });
  refused([](LayerRecord& record) { record.layout.stride += 512; });
  refused([](LayerRecord& record) { record.layout.stride = 0; });
  refused([](LayerRecord& record) { record.file = "resident.safetensors"; });
  refused([](LayerRecord& record) { record.file = "config.json"; });
  Manifest missing = manifest;
  missing.layers[0].file = "none";
  CHECK_THROWS_AS(BundleFile::open(folder.path(), missing), IoError);
}

TEST_CASE("a weight file cut at any page is a FormatError") {
  const TempFolder folder;
  const Manifest manifest = make_model_folder(folder.path(), two_layers());
  const auto path = folder / "neurons-00000.safetensors";
  for (std::uint64_t n = std::filesystem::file_size(path); n > 500; n -= 500) {
    std::filesystem::resize_file(path, n - 500);
    CHECK_THROWS_AS(BundleFile::open(folder.path(), manifest), FormatError);
  }
}

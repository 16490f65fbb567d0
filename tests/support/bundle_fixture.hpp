// SPDX-License-Identifier: Apache-2.0
/// bundle_fixture.hpp: the neurons of a tiny model, on disk and in a memory reader.
#pragma once

#include <cstddef>
#include <vector>

#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/storage/readers/memory_reader.hpp"
#include "support/tiny_model.hpp"

namespace support {

/// Every file of `bundles` as an array of bytes.
inline std::vector<std::vector<std::byte>> file_contents(
    const flashlm::storage::BundleFile& bundles) {
  std::vector<std::vector<std::byte>> contents;
  for (const flashlm::storage::File& file : bundles.files()) {
    contents.emplace_back(file.size());
    file.read(0, contents.back());
  }
  return contents;
}

/// A tiny model whose neurons are read from memory, so that a test can fail and count every read.
struct BundleFixture {
  explicit BundleFixture(const TinyShape& shape = TinyShape::bundled())
      : model(shape),
        bundles(flashlm::storage::BundleFile::open(model.path(),
                                                   flashlm::storage::Manifest::open(model.path()))),
        reader(file_contents(bundles)) {}

  /// The bytes of one bundle as they lie in the file.
  std::vector<std::byte> bundle(std::size_t layer, std::size_t index) {
    const flashlm::storage::Place place = bundles.locate(layer, index);
    std::vector<std::byte> bytes(place.extent.bytes);
    bundles.files()[place.file].read(place.extent.offset, bytes);
    return bytes;
  }

  TinyModel model;
  flashlm::storage::BundleFile bundles;
  flashlm::storage::MemoryReader reader;
};

}  // namespace support

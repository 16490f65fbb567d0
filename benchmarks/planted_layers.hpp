// SPDX-License-Identifier: Apache-2.0
/// planted_layers.hpp: neurons of the shape of OPT-6.7B on disk, whose bytes are known.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/format/bundle_layout.hpp"
#include "flashlm/storage/format/bundle_writer.hpp"
#include "flashlm/storage/format/manifest.hpp"

namespace bench {

using namespace flashlm;

inline const storage::BundleLayout kLayout =
    storage::BundleLayout::make(16384, 1, 4096, false, DType::f16);

/// The bytes of a neuron, all different.
inline void write_words(std::size_t layer, std::size_t neuron, std::span<std::uint64_t> words) {
  std::uint64_t value = (layer << 32 | neuron) * 0x9e3779b97f4a7c15u + 1;
  for (std::uint64_t& word : words)
    word = value = value * 6364136223846793005u + 1442695040888963407u;
}

/// Writes layers, a file each, and opens them; nothing of them stays in the page cache.
inline storage::BundleFile make_layers(const std::filesystem::path& folder, std::size_t n_layers) {
  storage::Manifest manifest;
  constexpr std::size_t kRows = 256;
  std::vector<std::uint64_t> up(kRows * kLayout.matrix_bytes() / 8), down(up.size()),
      both(kLayout.payload_bytes() / 8);
  const std::size_t half = both.size() / 2;
  const auto view = [](const std::vector<std::uint64_t>& words) {
    return MatrixView{reinterpret_cast<const std::byte*>(words.data()), DType::f16, kRows,
                      kLayout.dim, kLayout.matrix_bytes()};
  };
  for (std::size_t layer = 0; layer < n_layers; ++layer) {
    const std::filesystem::path path = folder / concat("neurons-", layer, ".safetensors");
    storage::BundleWriter writer(path, layer, kLayout);
    for (std::size_t first = 0; first < kLayout.n_neurons; first += kRows) {
      for (std::size_t i = 0; i < kRows; ++i) {
        write_words(layer, first + i, both);
        std::copy_n(both.begin(), half, up.begin() + static_cast<std::ptrdiff_t>(i * half));
        std::copy_n(both.begin() + static_cast<std::ptrdiff_t>(half), half,
                    down.begin() + static_cast<std::ptrdiff_t>(i * half));
      }
      writer.write({}, view(up), view(down));
    }
    manifest.layers.push_back(writer.finish().second);
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
#if defined(__linux__)
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
#endif
    ::close(file);
  }
  return storage::BundleFile::open(folder, manifest);
}

}  // namespace bench

// SPDX-License-Identifier: Apache-2.0
/// model_folder.hpp: the pieces of a packed folder, and a small folder of random neurons for the
/// tests of storage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/storage/format/bundle_writer.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "support/json.hpp"
#include "support/temp_folder.hpp"

namespace support {

/// The matrices of a layer, neuron-major: each [n_neurons, dim]. `gate` is empty without a gate. A
/// quantised `down` is [dim, n_neurons], since its blocks run along the neurons.
struct Neurons {
  flashlm::storage::BundleLayout layout;
  std::vector<std::byte> gate;
  std::vector<std::byte> up;
  std::vector<std::byte> down;

  flashlm::MatrixView view(const std::vector<std::byte>& matrix) const {
    return flashlm::MatrixView::dense(matrix.data(), layout.dtype,
                                      matrix.empty() ? 0 : layout.n_neurons, layout.dim);
  }

  /// `down` as BundleWriter takes it, from neuron `first` on.
  flashlm::MatrixView down_view(std::size_t first, std::size_t count) const {
    if (!flashlm::is_block(layout.dtype)) return view(down).slice(first, count);
    const std::size_t stride = flashlm::row_bytes(layout.dtype, layout.n_neurons);
    return {down.data() + flashlm::row_bytes(layout.dtype, first), layout.dtype, layout.dim, count,
            stride};
  }
};

inline Neurons random_neurons(const flashlm::storage::BundleLayout& layout, std::uint64_t seed) {
  const std::size_t bytes = layout.n_neurons * flashlm::row_bytes(layout.dtype, layout.dim);
  Neurons neurons{layout, {}, random_bytes(bytes, seed * 3 + 1), random_bytes(bytes, seed * 3 + 2)};
  if (layout.gated) neurons.gate = random_bytes(bytes, seed * 3);
  return neurons;
}

/// Writes a file without weights, and returns its record.
inline flashlm::storage::FileRecord put_small(const std::filesystem::path& folder,
                                              const std::string& name, const std::string& text) {
  put(folder / name, text);
  return flashlm::storage::record_small_file(folder, name);
}

/// Writes the neurons of the next layer, and enters them into `manifest`.
inline void put_neurons(const std::filesystem::path& folder, const Neurons& neurons,
                        flashlm::storage::Manifest& manifest) {
  const std::size_t layer = manifest.layers.size();
  flashlm::storage::BundleWriter writer(
      folder / flashlm::concat("neurons-0000", layer, ".safetensors"), layer, neurons.layout);
  writer.write(neurons.view(neurons.gate), neurons.view(neurons.up),
               neurons.down_view(0, neurons.layout.n_neurons));
  const auto [file, record] = writer.finish();
  manifest.files.push_back(file);
  manifest.layers.push_back(record);
}

/// Writes a folder with those layers, a resident file and two small files; returns its manifest,
/// which is saved too.
inline flashlm::storage::Manifest make_model_folder(
    const std::filesystem::path& folder,
    const std::vector<flashlm::storage::BundleLayout>& layouts) {
  flashlm::storage::Manifest manifest;
  manifest.family = "llama";
  manifest.dtype = "f16";
  manifest.source = read_json(nlohmann::json{{"path", "x.gguf"}, {"crc32", "00000000"}});
  for (const std::string name : {"config.json", "tokenizer.json"}) {
    manifest.files.push_back(put_small(folder, name, "{\"name\": \"" + name + "\"}\n"));
  }
  flashlm::storage::SafetensorsWriter resident(folder / "resident.safetensors",
                                               {{"final_norm", flashlm::DType::f32, {8}}});
  resident.write("final_norm", random_bytes(32, 99));
  manifest.files.push_back(resident.finish());
  for (const flashlm::storage::BundleLayout& layout : layouts) {
    put_neurons(folder, random_neurons(layout, manifest.layers.size()), manifest);
  }
  manifest.save(folder);
  return manifest;
}

}  // namespace support

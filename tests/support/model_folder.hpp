// SPDX-License-Identifier: Apache-2.0
/// model_folder.hpp: a small model folder of random neurons, for the tests of storage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/storage/bundle_writer.hpp"
#include "flashlm/storage/manifest.hpp"
#include "support/temp_folder.hpp"

namespace flashlm::test {

/// The matrices of a layer, neuron-major: each [n_neurons, dim].
struct RandomNeurons {
  RandomNeurons(const storage::BundleLayout& shape, std::uint64_t seed) : layout(shape) {
    for (std::vector<std::byte>* matrix : {&gate, &up, &down}) {
      *matrix = random_bytes(layout.n_neurons * row_bytes(layout.dtype, layout.dim), seed * 3 + (matrix == &up));
    }
    down = random_bytes(down.size(), seed * 3 + 2);
    if (!layout.gated) gate.clear();
  }

  MatrixView view(const std::vector<std::byte>& matrix) const {
    return MatrixView::dense(matrix.data(), layout.dtype, matrix.empty() ? 0 : layout.n_neurons, layout.dim);
  }

  storage::BundleLayout layout;
  std::vector<std::byte> gate;
  std::vector<std::byte> up;
  std::vector<std::byte> down;
};

/// Writes a folder with those layers, a resident file and two small files; returns its manifest, which is saved too.
inline storage::Manifest make_model_folder(const std::filesystem::path& folder,
                                           const std::vector<storage::BundleLayout>& layouts) {
  storage::Manifest manifest;
  manifest.architecture = "llama";
  manifest.dtype = "f16";
  manifest.source = {{"path", "x.gguf"}, {"crc32", "00000000"}};
  for (const std::string name : {"config.json", "tokenizer.json"}) {
    put(folder / name, "{\"name\": \"" + name + "\"}\n");
    manifest.files.push_back(storage::record_small_file(folder, name));
  }
  storage::SafetensorsWriter resident(folder / "resident.safetensors", {{"final_norm", DType::f32, {8}}});
  resident.write("final_norm", random_bytes(32, 99));
  manifest.files.push_back(resident.finish());
  for (std::size_t layer = 0; layer < layouts.size(); ++layer) {
    const RandomNeurons neurons(layouts[layer], layer);
    storage::BundleWriter writer(folder / concat("neurons-0000", layer, ".safetensors"), layer, layouts[layer]);
    writer.write(neurons.view(neurons.gate), neurons.view(neurons.up), neurons.view(neurons.down));
    const auto [file, record] = writer.finish();
    manifest.files.push_back(file);
    manifest.layers.push_back(record);
  }
  manifest.save(folder);
  return manifest;
}

}  // namespace flashlm::test

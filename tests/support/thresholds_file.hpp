// SPDX-License-Identifier: Apache-2.0
/// thresholds_file.hpp: thresholds for a packed folder of a SwiGLU model, neuron by neuron.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/storage/format/safetensors_writer.hpp"
#include "flashlm/units/select/gate_writer.hpp"
#include "flashlm/units/select/threshold_selector.hpp"

namespace support {

/// Writes thresholds.safetensors: copies of the gates, and one threshold for all layers.
inline void write_thresholds(const std::filesystem::path& folder, float threshold) {
  using namespace flashlm;
  const storage::Manifest manifest = storage::Manifest::open(folder);
  const std::string model = units::weights_fingerprint(manifest);
  const std::filesystem::path gates = folder / units::GateSelector::kFileName;
  if (!std::filesystem::exists(gates)) units::write_gates(folder);
  units::SelectorFile file = units::SelectorFile::open(gates, units::GateSelector::kFormat, model);
  file.load();
  std::vector<storage::TensorSpec> specs;
  for (std::size_t layer = 0; layer < manifest.layers.size(); ++layer) {
    const storage::BundleLayout& layout = manifest.layers[layer].layout;
    specs.push_back({concat("layers.", layer, ".gate"),
                     DType::u8,
                     {layout.n_neurons, row_bytes(DType::q8_0, layout.dim)}});
    specs.push_back({concat("layers.", layer, ".threshold"), DType::f32, {1}});
  }
  specs.push_back({units::SelectorFile::kChecksums, DType::u8, {1 + specs.size(), 4}});
  storage::SafetensorsWriter writer(folder / units::ThresholdSelector::kFileName, specs,
                                    {{"format", units::ThresholdSelector::kFormat},
                                     {"format_version", units::SelectorFile::kVersion},
                                     {"model", model}});
  std::vector<std::byte> sums;
  const auto add_sum = [&](std::uint32_t sum) {
    for (std::size_t i = 0; i < 4; ++i) sums.push_back(static_cast<std::byte>(sum >> (8 * i)));
  };
  add_sum(writer.header_crc32());
  for (const std::string& name : writer.order()) {
    if (name == units::SelectorFile::kChecksums) continue;
    std::span<const std::byte> data = std::as_bytes(std::span(&threshold, 1));
    if (name.ends_with(".gate")) {
      const storage::BundleLayout& layout =
          manifest.layers[static_cast<std::size_t>(std::stoul(name.substr(7)))].layout;
      const std::size_t width = row_bytes(DType::q8_0, layout.dim);
      data = {file.raw(name, layout.n_neurons, width), layout.n_neurons * width};
    }
    add_sum(storage::crc32(data));
    writer.write(name, data);
  }
  writer.write(units::SelectorFile::kChecksums, sums);
  writer.finish();
}

}  // namespace support

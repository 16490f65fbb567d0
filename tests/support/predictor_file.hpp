// SPDX-License-Identifier: Apache-2.0
/// predictor_file.hpp: a predictor of random numbers for a packed folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/storage/format/safetensors_writer.hpp"
#include "flashlm/units/select/predictor.hpp"
#include "flashlm/units/select/selector_file.hpp"

namespace support {

struct PredictorShape {
  std::size_t rank = 4;
  float threshold = 0;
  flashlm::DType dtype =
      flashlm::DType::f16;      // or q8_0, with ranks and dims that are multiples of 32
  std::size_t first_layer = 0;  // those before it have no predictor
  std::uint64_t seed = 5;
  std::map<std::string, std::string> metadata{};  // instead of the right ones
};

inline std::filesystem::path write_predictor(const std::filesystem::path& folder,
                                             const PredictorShape& shape = {}) {
  using namespace flashlm;
  const storage::Manifest manifest = storage::Manifest::open(folder);
  std::map<std::string, std::string> metadata{{"format", units::Predictor::kFormat},
                                              {"format_version", units::SelectorFile::kVersion},
                                              {"model", units::weights_fingerprint(manifest)}};
  for (const auto& [key, value] : shape.metadata) metadata[key] = value;
  Random random(shape.seed);
  std::vector<storage::TensorSpec> specs;
  std::map<std::string, std::vector<std::byte>> data;
  const auto add = [&](const std::string& name, DType dtype, std::size_t rows, std::size_t cols,
                       float size) {
    std::vector<std::byte> bytes;
    for (std::size_t row = 0; row < rows; ++row) {
      std::vector<float> values(cols);
      for (float& value : values) value = size < 0 ? -size : random.uniform(-size, size);
      std::vector<std::byte> stored(row_bytes(dtype, cols));
      kernels::from_f32(values, dtype, stored.data());
      bytes.insert(bytes.end(), stored.begin(), stored.end());
    }
    const bool block = is_block(dtype);
    specs.push_back(
        {name, block ? DType::u8 : dtype, {rows, block ? row_bytes(dtype, cols) : cols}});
    data[name] = std::move(bytes);
  };
  const auto flat = [&](const std::string& name, std::vector<float> values) {
    specs.push_back({name, DType::f32, {values.size()}});
    const auto bytes = std::as_bytes(std::span(values));
    data[name] = {bytes.begin(), bytes.end()};
  };
  for (std::size_t layer = shape.first_layer; layer < manifest.layers.size(); ++layer) {
    const storage::BundleLayout& layout = manifest.layers[layer].layout;
    const std::string prefix = concat("layers.", layer, ".");
    add(prefix + "a", shape.dtype, shape.rank, layout.dim, 1);
    add(prefix + "b", shape.dtype, layout.n_neurons, shape.rank, 1);
    std::vector<float> bias(layout.n_neurons);
    for (float& value : bias) value = random.uniform(-1.0f, 1.0f);
    flat(prefix + "bias", bias);
    flat(prefix + "threshold", {shape.threshold});
  }
  const bool old = metadata["format_version"] == units::SelectorFile::kOldVersion;
  specs.push_back({units::SelectorFile::kChecksums, DType::u8, {specs.size() + (old ? 0 : 1), 4}});
  const std::filesystem::path path = folder / units::Predictor::kFileName;
  std::filesystem::remove(path);
  storage::SafetensorsWriter writer(path, specs, metadata);
  std::vector<std::byte> sums;
  const auto add_sum = [&](std::uint32_t sum) {
    for (std::size_t i = 0; i < 4; ++i) sums.push_back(static_cast<std::byte>(sum >> (8 * i)));
  };
  if (!old) add_sum(writer.header_crc32());
  for (const std::string& name : writer.order()) {
    if (name == units::SelectorFile::kChecksums) continue;
    add_sum(storage::crc32(data[name]));
    writer.write(name, data[name]);
  }
  writer.write(units::SelectorFile::kChecksums, sums);
  writer.finish();
  return path;
}

}  // namespace support

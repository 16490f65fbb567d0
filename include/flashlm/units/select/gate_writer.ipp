// SPDX-License-Identifier: Apache-2.0
/// gate_writer.ipp: the bodies of gate_writer.hpp.
#pragma once

#include "flashlm/units/select/gate_writer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/storage/format/safetensors_writer.hpp"
#include "flashlm/storage/io/beside_file.hpp"
#include "flashlm/units/select/selector_file.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

namespace detail {

/// `value` as float, not below it.
inline float at_least(double value) noexcept {
  const float rounded = static_cast<float>(value * (1 + 0x1p-20));
  return std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

inline void copy_gate_row(std::span<const float> row, GateCopies& copies) {
  const std::size_t n_bytes = row_bytes(DType::q8_0, row.size());
  copies.rows.resize(copies.rows.size() + n_bytes);
  std::byte* blocks = copies.rows.data() + copies.rows.size() - n_bytes;
  kernels::from_f32(row, DType::q8_0, blocks);
  std::vector<float> copy(row.size());
  kernels::to_f32(DType::q8_0, blocks, copy);
  double ratio = 0, error = 0, own = 0, copied = 0;
  for (std::size_t block = 0; block < row.size() / kGateBlock; ++block) {
    std::uint16_t half;
    std::memcpy(&half, blocks + block * format_of(DType::q8_0).bytes, sizeof half);
    const double scale = std::abs(static_cast<double>(f16_to_f32(half)));
    for (std::size_t k = block * kGateBlock; k < (block + 1) * kGateBlock; ++k) {
      const double w = static_cast<double>(row[k]), q = static_cast<double>(copy[k]),
                   off = std::abs(w - q);
      if (off > 0)
        ratio = std::max(ratio, off / scale);  // infinite for a scale of 0: then the norms bound
      error += off * off;
      own += w * w;
      copied += q * q;
    }
  }
  copies.facts.push_back(
      {at_least(ratio), at_least(std::sqrt(error)), at_least(std::sqrt(own) + std::sqrt(copied))});
}

FLASHLM_ONCE GateCopies copy_gates(const storage::BundleFile& file, std::size_t layer) {
  const storage::BundleLayout& layout = file.layout(layer);
  constexpr std::size_t kReadBytes = 4u << 20;
  const std::size_t most = std::max<std::size_t>(1, kReadBytes / layout.stride);
  AlignedBuffer buffer(most * layout.stride);
  std::vector<float> row(layout.dim);
  GateCopies copies;
  for (std::size_t first = 0; first < layout.n_bundles(); first += most) {
    const std::size_t n = std::min(most, layout.n_bundles() - first);
    const storage::Place place = file.locate(layer, first, n);
    file.files()[place.file].read(place.extent.offset, buffer.bytes().first(n * layout.stride));
    for (std::size_t bundle = 0; bundle < n; ++bundle) {
      const storage::BundleView view =
          storage::view(layout, buffer.data() + bundle * layout.stride, first + bundle);
      const MatrixView& rows = layout.gated ? view.gate : view.up;
      for (std::size_t at = 0; at < rows.rows; ++at) {
        kernels::to_f32(rows.dtype, rows.row(at), row);
        copy_gate_row(row, copies);
      }
    }
  }
  return copies;
}

/// Tensors of gates.safetensors. Throws ArgumentError if `dim` is no multiple of 32.
inline std::vector<storage::TensorSpec> gate_tensors(const storage::BundleFile& file) {
  std::vector<storage::TensorSpec> specs;
  for (std::size_t layer = 0; layer < file.n_layers(); ++layer) {
    const storage::BundleLayout& layout = file.layout(layer);
    if (is_block(layout.dtype)) {
      throw ArgumentError(
          concat("[gate_writer] number format: expected f32, f16 or bf16, got ", name(layout.dtype),
                 ". The gate selector needs bundles of one neuron, and a quantised model has 32."));
    }
    if (layout.dim % kGateBlock != 0) {
      throw ArgumentError(concat("[gate_writer] dim: expected a multiple of ", kGateBlock, ", got ",
                                 layout.dim, ". The gate selector is not for this model."));
    }
    const std::string prefix = concat("layers.", layer, ".");
    specs.push_back(
        {prefix + "facts", DType::u8, {layout.n_neurons, sizeof(GateSelector::RowFacts)}});
    specs.push_back(
        {prefix + "gate", DType::u8, {layout.n_neurons, row_bytes(DType::q8_0, layout.dim)}});
  }
  specs.push_back({SelectorFile::kChecksums, DType::u8, {1 + specs.size(), 4}});
  return specs;
}

inline storage::SafetensorsWriter gates_writer(const std::filesystem::path& path,
                                               const storage::BundleFile& file,
                                               const storage::Manifest& manifest) {
  return {path,
          gate_tensors(file),
          {{"format", GateSelector::kFormat},
           {"format_version", SelectorFile::kVersion},
           {"model", weights_fingerprint(manifest)}}};
}

}  // namespace detail

FLASHLM_ONCE void write_gates(const std::filesystem::path& folder,
                              const std::function<void(std::size_t, std::size_t)>& on_progress) {
  const storage::Manifest manifest = storage::Manifest::open(folder);
  const storage::BundleFile file =
      storage::BundleFile::open(folder, manifest, storage::FileMode::direct);
  storage::BesideFile beside(folder / GateSelector::kFileName);
  storage::SafetensorsWriter writer = detail::gates_writer(beside.path(), file, manifest);
  std::vector<std::byte> sums;
  const auto add_sum = [&](std::uint32_t sum) {
    for (std::size_t i = 0; i < 4; ++i) sums.push_back(static_cast<std::byte>(sum >> (8 * i)));
  };
  add_sum(writer.header_crc32());
  const auto write = [&](const std::string& name, std::span<const std::byte> bytes) {
    add_sum(storage::crc32(bytes));
    writer.write(name, bytes);
  };
  std::size_t done = 0;
  for (const std::string& name : writer.order()) {
    if (!name.ends_with(".facts")) continue;  // the layer's copies follow
    const std::size_t layer = std::stoul(name.substr(std::string("layers.").size()));
    const detail::GateCopies copies = detail::copy_gates(file, layer);
    write(name, std::as_bytes(std::span(copies.facts)));
    write(concat("layers.", layer, ".gate"), copies.rows);
    if (on_progress) on_progress(++done, file.n_layers());
  }
  writer.write(SelectorFile::kChecksums, sums);
  writer.finish();
  beside.replace();
  storage::sync_folder(folder);
}

FLASHLM_ONCE void write_hollow_gates(const std::filesystem::path& folder) {
  const storage::Manifest manifest = storage::Manifest::open(folder);
  detail::gates_writer(folder / GateSelector::kFileName,
                       storage::BundleFile::open(folder, manifest), manifest)
      .finish_hollow();
}

}  // namespace flashlm::inline FLASHLM_ABI::units

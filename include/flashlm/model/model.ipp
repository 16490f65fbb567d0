// SPDX-License-Identifier: Apache-2.0
/// model.ipp: the bodies of model.hpp.
#pragma once

#include "flashlm/model/model.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE std::shared_ptr<const Model> Model::open(const std::filesystem::path& folder,
                                                        std::string_view selector) {
  return std::shared_ptr<const Model>(new Model(folder, selector));
}

FLASHLM_INLINE std::size_t Model::tile_cols() const noexcept {
  std::size_t cols = 0;
  for (std::size_t layer = 0; layer < config_.n_layers; ++layer) {
    const LayerWeights& weights = weights_.layer(layer);
    for (const Matrix* matrix : {&weights.query, &weights.key, &weights.value, &weights.output}) {
      if (matrix->tiled) cols = std::max(cols, matrix->cols);
    }
  }
  return cols;
}

FLASHLM_INLINE DType Model::kv_dtype() const noexcept {
  for (std::size_t layer = 0; layer < bundles_.n_layers(); ++layer) {
    if (bundles_.layout(layer).dtype != DType::f32) return DType::f16;
  }
  return DType::f32;
}

FLASHLM_INLINE std::vector<std::size_t> Model::neuron_segments() const {
  std::vector<std::size_t> segments(config_.n_layers);
  for (std::size_t layer = 0; layer < segments.size(); ++layer) {
    segments[layer] = Weights::kPerLayer * layer + Weights::kNeurons;
  }
  return segments;
}

FLASHLM_INLINE Model::Model(const std::filesystem::path& folder, std::string_view selector)
    : folder_(folder),
      manifest_(storage::Manifest::open(folder)),
      config_(ModelConfig::open(folder)),
      bundles_(storage::BundleFile::open(folder, manifest_, storage::FileMode::direct)) {
  check();
  selector_ = sparse::choose_selector(selector, folder_, manifest_, bundles_, config_.activation);
  weights_ = Weights::open(folder_ / kResidentFile, config_);
  place_segments(bundles_.add(storage::File::open(folder_ / kResidentFile, storage::FileMode::direct)));
}

FLASHLM_INLINE void Model::check() const {
  const auto is_resident = [](const storage::FileRecord& file) { return file.name == kResidentFile; };
  if (std::none_of(manifest_.files.begin(), manifest_.files.end(), is_resident)) {
    throw FormatError(concat("[model] file: flashlm.json does not list ", kResidentFile, " (", folder_.string(), ")"));
  }
  if (manifest_.architecture != config_.architecture) {
    throw FormatError(concat("[model] architecture: config.json says ", config_.architecture, ", flashlm.json says ",
                             manifest_.architecture, " (", folder_.string(), ")"));
  }
  if (bundles_.n_layers() != config_.n_layers) mismatch("layers", config_.n_layers, bundles_.n_layers(), 0);
  for (std::size_t layer = 0; layer < bundles_.n_layers(); ++layer) {
    const storage::BundleLayout& layout = bundles_.layout(layer);
    if (layout.dim != config_.dim) mismatch("dim", config_.dim, layout.dim, layer);
    if (layout.n_neurons != config_.hidden_dim) mismatch("neurons", config_.hidden_dim, layout.n_neurons, layer);
    if (layout.gated != config_.gated) mismatch("gate rows", config_.gated, layout.gated, layer);
  }
}

FLASHLM_INLINE void Model::place_segments(std::uint32_t resident) {
  const auto place = [&](const Matrix& matrix) {
    segments_.at(matrix.segment) = {resident, matrix.extent.offset, matrix.n_units(), matrix.unit_bytes()};
  };
  segments_.resize(n_passed() + (config_.tied_embedding ? 0 : 1));
  for (std::size_t layer = 0; layer < config_.n_layers; ++layer) {
    const LayerWeights& weights = weights_.layer(layer);
    for (const Matrix* matrix : {&weights.query, &weights.value, &weights.key, &weights.output}) place(*matrix);
    const storage::BundleLayout& layout = bundles_.layout(layer);
    const storage::Place all = bundles_.locate(layer, 0, layout.n_bundles());
    segments_[Weights::kPerLayer * layer + Weights::kNeurons] = {all.file, all.extent.offset, layout.n_bundles(),
                                                                 layout.stride};
  }
  place(weights_.head());
  place(weights_.embedding());
}

FLASHLM_INLINE void Model::mismatch(std::string_view what, std::size_t expected, std::size_t got,
                                    std::size_t layer) const {
  throw FormatError(concat("[model] ", what, ": config.json says ", expected, ", flashlm.json says ", got, " (",
                           folder_.string(), ", layer ", layer, ")"));
}

}  // namespace flashlm::inline FLASHLM_ABI::model

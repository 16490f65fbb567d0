// SPDX-License-Identifier: Apache-2.0
/// model.hpp: a packed model, open and immutable.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/model/config.hpp"
#include "flashlm/model/weights.hpp"
#include "flashlm/sparse/pass_layout.hpp"
#include "flashlm/sparse/selector.hpp"
#include "flashlm/storage/bundle_file.hpp"
#include "flashlm/storage/manifest.hpp"

namespace flashlm::inline v0::model {

/// Config, selector, what always stays in DRAM, and the places of all other weights on flash.
///
/// Immutable: shared by any number of engines and sessions. Thread-safe.
class Model {
 public:
  /// Opens a packed folder and checks everything but the weights' data (`flashlm verify` checks that).
  ///
  /// Makes gates.safetensors for the selector gate where there is none. Throws IoError, FormatError, or ArgumentError
  /// for an unknown selector and one that the model can not have.
  static std::shared_ptr<const Model> open(const std::filesystem::path& folder, std::string_view selector = "auto") {
    return std::shared_ptr<const Model>(new Model(folder, selector));
  }

  const std::filesystem::path& folder() const noexcept { return folder_; }
  const ModelConfig& config() const noexcept { return config_; }
  const storage::Manifest& manifest() const noexcept { return manifest_; }
  const storage::BundleFile& bundles() const noexcept { return bundles_; }
  const sparse::SelectorChoice& selector() const noexcept { return selector_; }

  /// The most columns of a quantised matrix of attention; 0 if none is quantised.
  std::size_t tile_cols() const noexcept {
    std::size_t cols = 0;
    for (std::size_t layer = 0; layer < config_.n_layers; ++layer) {
      const LayerWeights& weights = weights_.layer(layer);
      for (const Matrix* matrix : {&weights.query, &weights.key, &weights.value, &weights.output}) {
        if (matrix->tiled) cols = std::max(cols, matrix->cols);
      }
    }
    return cols;
  }

  /// How keys and values are kept: f32 in a folder of f32, which promises exact logits; f16 where weights have fewer
  /// bits.
  DType kv_dtype() const noexcept {
    for (std::size_t layer = 0; layer < bundles_.n_layers(); ++layer) {
      if (bundles_.layout(layer).dtype != DType::f32) return DType::f16;
    }
    return DType::f32;
  }

  /// What is small and always in DRAM, and the places of the other matrices.
  const Weights& weights() const noexcept { return weights_; }

  /// All weights that may stay on flash, in the order of a pass: of each layer attention and neurons, then the head;
  /// behind them an embedding of its own. `Matrix::segment` counts them. Files are those of `bundles().files()`.
  const std::vector<sparse::Segment>& segments() const noexcept { return segments_; }
  /// Of these, the neurons of each layer.
  std::vector<std::size_t> neuron_segments() const {
    std::vector<std::size_t> segments(config_.n_layers);
    for (std::size_t layer = 0; layer < segments.size(); ++layer) {
      segments[layer] = Weights::kPerLayer * layer + Weights::kNeurons;
    }
    return segments;
  }
  /// How many of them every pass needs.
  std::size_t n_passed() const noexcept { return Weights::kPerLayer * config_.n_layers + 1; }

 private:
  Model(const std::filesystem::path& folder, std::string_view selector)
      : folder_(folder),
        manifest_(storage::Manifest::open(folder)),
        config_(ModelConfig::open(folder)),
        bundles_(storage::BundleFile::open(folder, manifest_, storage::FileMode::direct)) {
    check();
    selector_ = sparse::choose_selector(selector, folder_, manifest_, bundles_, config_.activation);
    weights_ = Weights::open(folder_ / kResidentFile, config_);
    place_segments(bundles_.add(storage::File::open(folder_ / kResidentFile, storage::FileMode::direct)));
  }

  void check() const {
    const auto is_resident = [](const storage::FileRecord& file) { return file.name == kResidentFile; };
    if (std::none_of(manifest_.files.begin(), manifest_.files.end(), is_resident)) {
      throw FormatError(
          concat("[model] file: flashlm.json does not list ", kResidentFile, " (", folder_.string(), ")"));
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

  void place_segments(std::uint32_t resident) {
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

  [[noreturn]] void mismatch(std::string_view what, std::size_t expected, std::size_t got, std::size_t layer) const {
    throw FormatError(concat("[model] ", what, ": config.json says ", expected, ", flashlm.json says ", got, " (",
                             folder_.string(), ", layer ", layer, ")"));
  }

  static constexpr const char* kResidentFile = "resident.safetensors";

  std::filesystem::path folder_;
  storage::Manifest manifest_;
  ModelConfig config_;
  storage::BundleFile bundles_;
  sparse::SelectorChoice selector_;
  Weights weights_;
  std::vector<sparse::Segment> segments_;
};

}  // namespace flashlm::inline v0::model

// SPDX-License-Identifier: Apache-2.0
/// model.hpp: a packed model, open and immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flashlm/model/graph/spec.hpp"
#include "flashlm/model/graph/tensors.hpp"
#include "flashlm/model/graph/weights.hpp"
#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/stream/pass_layout.hpp"
#include "flashlm/units/select/selector.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Graph, selector, what always stays in DRAM, and the places of all other weights on flash.
///
/// Immutable: shared by any number of engines and sessions. Thread-safe.
class Model {
 public:
  /// Opens a packed folder and checks everything but the weights' data (`flashlm verify` checks
  /// that).
  ///
  /// Makes gates.safetensors for the selector gate where there is none. `manifest`: the text of a
  /// flashlm.json to take in place of the folder's; empty: the folder's. Throws IoError,
  /// FormatError, or ArgumentError for an unknown selector and one that the model can not have.
  static std::shared_ptr<const Model> open(const std::filesystem::path& folder,
                                           std::string_view selector = "auto",
                                           const std::string& manifest = {});

  const std::filesystem::path& folder() const noexcept { return folder_; }
  const ModelSpec& spec() const noexcept { return spec_; }
  /// The one list of its weights.
  const std::vector<GraphTensor>& tensors() const noexcept { return tensors_; }
  const storage::Manifest& manifest() const noexcept { return manifest_; }
  const storage::BundleFile& bundles() const noexcept { return bundles_; }
  const units::SelectorChoice& selector() const noexcept { return selector_; }

  /// The most columns of a quantised matrix of attention; 0 if none is quantised.
  std::size_t tile_cols() const noexcept;

  /// How keys and values are kept: f32 in a folder of f32, which promises exact logits; f16 where
  /// weights have fewer bits.
  DType kv_dtype() const noexcept;

  /// What is small and always in DRAM, and the places of the other matrices.
  const Weights& weights() const noexcept { return weights_; }

  /// Whether neurons lie in bundles, so that a selector may choose among them where a bundle is
  /// one; else a feed-forward network is matrices, as attention is.
  bool bundled() const noexcept { return bundles_.n_layers() != 0; }

  /// All weights that may stay on flash, in the order of a pass (`GraphTensor::segment`). Files are
  /// those of `bundles().files()`.
  const std::vector<stream::Segment>& segments() const noexcept { return segments_; }
  /// Of these, the bundles of each layer, if there are any.
  const std::vector<std::size_t>& neuron_segments() const noexcept { return neuron_segments_; }
  /// How many of them every pass needs.
  std::size_t n_passed() const noexcept { return weights_.head().segment + 1; }

 private:
  Model(const std::filesystem::path& folder, std::string_view selector,
        const std::string& manifest);

  void check() const;

  void open_weights();

  /// The files of `weights_` are those of `bundles_` from number `first` on.
  void place_segments(std::size_t first);

  [[noreturn]] void mismatch(std::string_view what, std::size_t expected, std::size_t got,
                             std::size_t layer) const;

  static constexpr const char* kResidentFile = "resident.safetensors";

  std::filesystem::path folder_;
  storage::Manifest manifest_;
  ModelSpec spec_;
  std::vector<GraphTensor> tensors_;
  storage::BundleFile bundles_;
  units::SelectorChoice selector_;
  Weights weights_;
  std::vector<stream::Segment> segments_;
  std::vector<std::size_t> neuron_segments_;  // [n_layers], or none
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/graph/model.ipp"
#endif

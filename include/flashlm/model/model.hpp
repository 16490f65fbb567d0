// SPDX-License-Identifier: Apache-2.0
/// model.hpp: a packed model, open and immutable.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/model/config.hpp"
#include "flashlm/model/weights.hpp"
#include "flashlm/sparse/selector.hpp"
#include "flashlm/storage/bundle_file.hpp"
#include "flashlm/storage/manifest.hpp"

namespace flashlm::inline v0::model {

/// Config, resident weights, selector, and the places of the neurons on flash.
///
/// Immutable: shared by any number of engines and sessions. Thread-safe.
class Model {
 public:
  /// Opens a packed folder and checks everything but the weights' data (`flashlm verify` checks that).
  ///
  /// Throws IoError, FormatError, or ArgumentError for an unknown selector.
  static std::shared_ptr<const Model> open(const std::filesystem::path& folder, std::string_view selector = "auto") {
    return std::shared_ptr<const Model>(new Model(folder, selector));
  }

  const std::filesystem::path& folder() const noexcept { return folder_; }
  const ModelConfig& config() const noexcept { return config_; }
  const storage::Manifest& manifest() const noexcept { return manifest_; }
  const storage::BundleFile& bundles() const noexcept { return bundles_; }
  const sparse::Selector& selector() const noexcept { return selector_; }

  /// Bytes of the resident weights, known before they are read.
  std::size_t resident_bytes() const noexcept { return resident_bytes_; }

  /// The resident weights. The first caller reads them, once it knows that they fit; on_progress(done, total) counts
  /// bytes and may throw to stop. Throws IoError or FormatError; the next call tries again then.
  const Weights& weights(const std::function<void(std::size_t, std::size_t)>& on_progress = {}) const {
    // Not std::call_once: where it is built on pthread_once, a throwing call leaves later ones waiting for ever.
    const std::lock_guard lock(weights_mutex_);
    if (!weights_) weights_ = Weights::open(folder_ / kResidentFile, config_, on_progress);
    return *weights_;
  }

 private:
  Model(const std::filesystem::path& folder, std::string_view selector)
      : folder_(folder),
        manifest_(storage::Manifest::open(folder)),
        config_(ModelConfig::open(folder)),
        bundles_(storage::BundleFile::open(folder, manifest_, storage::FileMode::direct)),
        selector_(sparse::make_selector(selector)) {
    resident_bytes_ = [&] {
      for (const storage::FileRecord& file : manifest_.files) {
        if (file.name == kResidentFile) return file.bytes - file.header_bytes;
      }
      throw FormatError(
          concat("[model] file: flashlm.json does not list ", kResidentFile, " (", folder_.string(), ")"));
    }();
    if (bundles_.n_layers() != config_.n_layers) mismatch("layers", config_.n_layers, bundles_.n_layers(), 0);
    for (std::size_t layer = 0; layer < bundles_.n_layers(); ++layer) {
      const storage::BundleLayout& layout = bundles_.layout(layer);
      if (layout.dim != config_.dim) mismatch("dim", config_.dim, layout.dim, layer);
      if (layout.n_neurons != config_.hidden_dim) mismatch("neurons", config_.hidden_dim, layout.n_neurons, layer);
      if (layout.gated != config_.gated) mismatch("gate rows", config_.gated, layout.gated, layer);
      if (layout.dtype != DType::f32 && layout.dtype != DType::f16) {
        throw FormatError(concat("[model] dtype: expected f32 or f16, got ", name(layout.dtype), " (", folder_.string(),
                                 ", layer ", layer, ")"));
      }
    }
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
  sparse::Selector selector_;
  std::size_t resident_bytes_ = 0;
  mutable std::mutex weights_mutex_;
  mutable std::optional<Weights> weights_;
};

}  // namespace flashlm::inline v0::model

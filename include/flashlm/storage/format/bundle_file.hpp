// SPDX-License-Identifier: Apache-2.0
/// bundle_file.hpp: where every bundle of a model folder is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "flashlm/storage/format/bundle_layout.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/storage/format/safetensors.hpp"
#include "flashlm/storage/io/extent.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// The open weight files of the layers, and the places of their bundles. It reads no weights: that
/// is a Reader's work.
///
/// Thread-safe.
class BundleFile {
 public:
  /// Opens each file once and compares its header with the manifest.
  ///
  /// Throws IoError, or FormatError if a tensor is missing or has another shape than its layer.
  static BundleFile open(const std::filesystem::path& folder, const Manifest& manifest,
                         FileMode mode = FileMode::direct);

  std::size_t n_layers() const noexcept { return layers_.size(); }

  /// `layer` must be below n_layers().
  const BundleLayout& layout(std::size_t layer) const;

  /// The files that `Place::file` counts; a Reader is made of them. A move of this object does not
  /// move them.
  const std::vector<File>& files() const noexcept { return files_; }
  std::vector<std::uint64_t> file_bytes() const;

  /// Opens a further file of the folder, to be read by the same Reader; its number.
  std::uint32_t add(File file);

  /// Where bundles [first_bundle, first_bundle + n_bundles) of a layer are: they lie next to each
  /// other.
  ///
  /// Throws ArgumentError if there are no such bundles.
  Place locate(std::size_t layer, std::size_t first_bundle, std::size_t n_bundles = 1) const;

 private:
  struct Layer {
    BundleLayout layout;
    std::uint32_t file;
    std::uint64_t offset;  // of bundle 0
  };

  BundleFile() = default;

  static std::uint64_t tensor_of(const Safetensors& header, const LayerRecord& record);

  std::vector<Layer> layers_;
  std::vector<File> files_;
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/bundle_file.ipp"
#endif

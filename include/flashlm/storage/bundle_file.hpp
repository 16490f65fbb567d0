// SPDX-License-Identifier: Apache-2.0
/// bundle_file.hpp: where every bundle of a model folder is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/bundle_layout.hpp"
#include "flashlm/storage/extent.hpp"
#include "flashlm/storage/file.hpp"
#include "flashlm/storage/manifest.hpp"
#include "flashlm/storage/safetensors.hpp"

namespace flashlm::inline v0::storage {

/// The open weight files of the layers, and the places of their bundles. It reads no weights: that is a Reader's work.
///
/// Thread-safe.
class BundleFile {
 public:
  /// Opens each file once and compares its header with the manifest.
  ///
  /// Throws IoError, or FormatError if a tensor is missing or has another shape than its layer.
  static BundleFile open(const std::filesystem::path& folder, const Manifest& manifest,
                         FileMode mode = FileMode::direct) {
    BundleFile result;
    std::vector<Safetensors> headers;
    std::vector<std::string> names;
    for (const LayerRecord& record : manifest.layers) {
      std::size_t index = 0;
      while (index < names.size() && names[index] != record.file) ++index;
      if (index == names.size()) {
        headers.push_back(Safetensors::open(folder / record.file, mode));
        names.push_back(record.file);
      }
      result.layers_.push_back({record.layout, static_cast<std::uint32_t>(index), tensor_of(headers[index], record)});
    }
    for (Safetensors& header : headers) result.files_.push_back(std::move(header).file());
    return result;
  }

  std::size_t n_layers() const noexcept { return layers_.size(); }

  /// `layer` must be below n_layers().
  const BundleLayout& layout(std::size_t layer) const {
    FLASHLM_ASSERT(layer < layers_.size());
    return layers_[layer].layout;
  }

  /// The files that `Place::file` counts; a Reader is made of them. A move of this object does not move them.
  const std::vector<File>& files() const noexcept { return files_; }
  std::vector<std::uint64_t> file_bytes() const {
    std::vector<std::uint64_t> sizes;
    for (const File& file : files_) sizes.push_back(file.size());
    return sizes;
  }

  /// Opens a further file of the folder, to be read by the same Reader; its number.
  std::uint32_t add(File file) {
    files_.push_back(std::move(file));
    return static_cast<std::uint32_t>(files_.size() - 1);
  }

  /// Where bundles [first_bundle, first_bundle + n_bundles) of a layer are: they lie next to each other.
  ///
  /// Throws ArgumentError if there are no such bundles.
  Place locate(std::size_t layer, std::size_t first_bundle, std::size_t n_bundles = 1) const {
    if (layer >= layers_.size()) {
      throw ArgumentError(concat("[bundle_file] layer: expected one below ", layers_.size(), ", got ", layer));
    }
    const Layer& found = layers_[layer];
    const std::size_t total = found.layout.n_bundles();
    if (!Extent{first_bundle, n_bundles}.inside(total)) {
      throw ArgumentError(concat("[bundle_file] bundles: expected a range below ", total, ", got ", n_bundles, " from ",
                                 first_bundle, " (layer ", layer, ")"));
    }
    const std::uint64_t stride = found.layout.stride;
    return {found.file, {found.offset + first_bundle * stride, n_bundles * stride}};
  }

 private:
  struct Layer {
    BundleLayout layout;
    std::uint32_t file;
    std::uint64_t offset;  // of bundle 0
  };

  BundleFile() = default;

  static std::uint64_t tensor_of(const Safetensors& header, const LayerRecord& record) {
    const std::string file = header.file().path().string();
    if (const std::string problem = record.layout.problem(); !problem.empty()) {
      throw FormatError(concat("[bundle_file] layout: ", problem, " (", file, ", ", record.tensor, ")"));
    }
    const TensorInfo& tensor = header.at(record.tensor);
    const std::vector<std::uint64_t> shape{record.layout.n_bundles(), record.layout.stride};
    if (tensor.dtype != dtype_tag(DType::u8) || tensor.shape != shape) {
      std::string got;
      for (const std::uint64_t size : tensor.shape) got += concat(got.empty() ? "" : ", ", size);
      throw FormatError(concat("[bundle_file] bundles: expected U8 [", shape[0], ", ", shape[1], "], got ",
                               tensor.dtype, " [", got, "] (", file, ", ", record.tensor, ")"));
    }
    return tensor.extent.offset;
  }

  std::vector<Layer> layers_;
  std::vector<File> files_;
};

}  // namespace flashlm::inline v0::storage

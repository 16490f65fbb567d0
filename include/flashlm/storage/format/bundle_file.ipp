// SPDX-License-Identifier: Apache-2.0
/// bundle_file.ipp: the bodies of bundle_file.hpp.
#pragma once

#include "flashlm/storage/format/bundle_file.hpp"

#include <string>
#include <utility>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE BundleFile BundleFile::open(const std::filesystem::path& folder,
                                         const Manifest& manifest, FileMode mode) {
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
    result.layers_.push_back(
        {record.layout, static_cast<std::uint32_t>(index), tensor_of(headers[index], record)});
  }
  for (Safetensors& header : headers) result.files_.push_back(std::move(header).file());
  return result;
}

FLASHLM_INLINE const BundleLayout& BundleFile::layout(std::size_t layer) const {
  FLASHLM_ASSERT(layer < layers_.size());
  return layers_[layer].layout;
}

FLASHLM_INLINE std::vector<std::uint64_t> BundleFile::file_bytes() const {
  std::vector<std::uint64_t> sizes;
  for (const File& file : files_) sizes.push_back(file.size());
  return sizes;
}

FLASHLM_ONCE std::uint32_t BundleFile::add(File file) {
  files_.push_back(std::move(file));
  return static_cast<std::uint32_t>(files_.size() - 1);
}

FLASHLM_INLINE Place BundleFile::locate(std::size_t layer, std::size_t first_bundle,
                                        std::size_t n_bundles) const {
  if (layer >= layers_.size()) {
    throw ArgumentError(
        concat("[bundle_file] layer: expected one below ", layers_.size(), ", got ", layer));
  }
  const Layer& found = layers_[layer];
  const std::size_t total = found.layout.n_bundles();
  if (!Extent{first_bundle, n_bundles}.inside(total)) {
    throw ArgumentError(concat("[bundle_file] bundles: expected a range below ", total, ", got ",
                               n_bundles, " from ", first_bundle, " (layer ", layer, ")"));
  }
  const std::uint64_t stride = found.layout.stride;
  return {found.file, {found.offset + first_bundle * stride, n_bundles * stride}};
}

FLASHLM_ONCE std::uint64_t BundleFile::tensor_of(const Safetensors& header,
                                                 const LayerRecord& record) {
  const std::string file = header.file().path().string();
  if (const std::string problem = record.layout.problem(); !problem.empty()) {
    throw FormatError(
        concat("[bundle_file] layout: ", problem, " (", file, ", ", record.tensor, ")"));
  }
  const TensorInfo& tensor = header.at(record.tensor);
  const std::vector<std::uint64_t> shape{record.layout.n_bundles(), record.layout.stride};
  if (tensor.dtype != dtype_tag(DType::u8) || tensor.shape != shape) {
    std::string got;
    for (const std::uint64_t size : tensor.shape) got += concat(got.empty() ? "" : ", ", size);
    throw FormatError(concat("[bundle_file] bundles: expected U8 [", shape[0], ", ", shape[1],
                             "], got ", tensor.dtype, " [", got, "] (", file, ", ", record.tensor,
                             ")"));
  }
  return tensor.extent.offset;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage

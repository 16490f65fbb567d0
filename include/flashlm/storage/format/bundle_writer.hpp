// SPDX-License-Identifier: Apache-2.0
/// bundle_writer.hpp: writing the neurons of one layer as bundles.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/storage/format/bundle_layout.hpp"
#include "flashlm/storage/format/file_record.hpp"
#include "flashlm/storage/format/layer_record.hpp"
#include "flashlm/storage/format/safetensors_writer.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// Writes one safetensors file with the tensor `layers.<layer>.bundles`, U8 [n_bundles, stride].
///
/// Holds one bundle in memory. A file that is not finished is removed. Not thread-safe.
class BundleWriter {
 public:
  /// Throws IoError, or ArgumentError if the layout has a problem.
  BundleWriter(const std::filesystem::path& path, std::size_t layer, const BundleLayout& layout);

  /// Appends the next neurons, one row each: gate, up and down [k, dim]. Row i of `down` is column
  /// i of the matrix.
  ///
  /// k is a multiple of neurons_per_bundle, except where the layer ends. `gate` is empty without a
  /// gate. Of a quantised layer `down` is [dim, k], columns of the matrix as they are; all three
  /// become tiles here. Throws ShapeError if a shape or number format differs from the layout's,
  /// with nothing written; IoError.
  void write(const MatrixView& gate, const MatrixView& up, const MatrixView& down);

  /// Waits until the file is on the device; what the manifest has to know. Throws ShapeError if
  /// neurons are missing.
  std::pair<FileRecord, LayerRecord> finish();

  /// As SafetensorsWriter::finish_hollow.
  std::pair<FileRecord, LayerRecord> finish_hollow() { return {writer_.finish_hollow(), record_}; }

 private:
  static const BundleLayout& checked(const BundleLayout& layout);

  template <class Got>
  ShapeError fail(const char* what, const std::string& expected, const Got& got) const {
    return ShapeError(concat("[bundle_writer] ", what, ": expected ", expected, ", got ", got, " (",
                             record_.file, ", ", tensor_, ")"));
  }

  void check(const char* what, const MatrixView& matrix, std::size_t rows, std::size_t cols) const;

  /// Writes the rows without gaps, or tiles of them; returns where the next matrix begins.
  std::byte* put(const MatrixView& matrix, std::byte* into) const;

  BundleLayout layout_;
  std::string tensor_;
  SafetensorsWriter writer_;
  AlignedBuffer bundle_;  // [stride]
  LayerRecord record_;
  std::size_t done_ = 0;  // neurons written
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/bundle_writer.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// bundle_writer.hpp: writing the neurons of one layer as bundles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/storage/bundle_layout.hpp"
#include "flashlm/storage/file_record.hpp"
#include "flashlm/storage/layer_record.hpp"
#include "flashlm/storage/safetensors_writer.hpp"
#include "flashlm/storage/tiling.hpp"

namespace flashlm::inline v0::storage {

/// Writes one safetensors file with the tensor `layers.<layer>.bundles`, U8 [n_bundles, stride].
///
/// Holds one bundle in memory. A file that is not finished is removed. Not thread-safe.
class BundleWriter {
 public:
  /// Throws IoError, or ArgumentError if the layout has a problem.
  BundleWriter(const std::filesystem::path& path, std::size_t layer, const BundleLayout& layout)
      : layout_(checked(layout)),
        tensor_(concat("layers.", layer, ".bundles")),
        writer_(path, {{tensor_, DType::u8, {layout.n_bundles(), layout.stride}}}, {{"format", "flashlm"}}),
        bundle_(layout.stride) {
    record_.file = path.filename().string();
    record_.tensor = tensor_;
    record_.layout = layout;
  }

  /// Appends the next neurons, one row each: gate, up and down [k, dim]. Row i of `down` is column i of the matrix.
  ///
  /// k is a multiple of neurons_per_bundle, except where the layer ends. `gate` is empty without a gate. Of a quantised
  /// layer `down` is [dim, k], columns of the matrix as they are; all three become tiles here.
  /// Throws ShapeError if a shape or number format differs from the layout's, with nothing written; IoError.
  void write(const MatrixView& gate, const MatrixView& up, const MatrixView& down) {
    const std::size_t n = up.rows;
    check("up", up, n, layout_.dim);
    if (is_block(layout_.dtype)) {
      check("down", down, layout_.dim, n);
    } else {
      check("down", down, n, layout_.dim);
    }
    if (layout_.gated) {
      check("gate", gate, n, layout_.dim);
    } else if (gate.rows != 0) {
      throw fail("gate", "none", concat(gate.rows, " rows"));
    }
    const std::size_t left = layout_.n_neurons - done_;
    if (n > left || (n < left && n % layout_.neurons_per_bundle != 0)) {
      throw fail("rows", concat("the last ", left, " or fewer by whole bundles of ", layout_.neurons_per_bundle), n);
    }
    for (std::size_t first = 0; first < n; first += layout_.neurons_per_bundle) {
      const std::size_t rows = std::min(layout_.neurons_per_bundle, n - first);
      std::byte* into = bundle_.data();
      // What a shorter last bundle does not overwrite has to be zeros.
      if (rows < layout_.neurons_per_bundle) std::fill_n(into, layout_.stride, std::byte{0});
      if (layout_.gated) into = put(gate.slice(first, rows), into);
      into = put(up.slice(first, rows), into);
      if (is_block(layout_.dtype)) {
        put({down.data + row_bytes(layout_.dtype, first), layout_.dtype, layout_.dim, rows, down.stride}, into);
      } else {
        put(down.slice(first, rows), into);
      }
      writer_.write(tensor_, bundle_.bytes());
      done_ += rows;
    }
  }

  /// Waits until the file is on the device; what the manifest has to know. Throws ShapeError if neurons are missing.
  std::pair<FileRecord, LayerRecord> finish() {
    if (done_ != layout_.n_neurons) throw fail("neurons", concat(layout_.n_neurons), done_);
    return {writer_.finish(), record_};
  }

  /// As SafetensorsWriter::finish_hollow.
  std::pair<FileRecord, LayerRecord> finish_hollow() { return {writer_.finish_hollow(), record_}; }

 private:
  static const BundleLayout& checked(const BundleLayout& layout) {
    if (const std::string problem = layout.problem(); !problem.empty()) {
      throw ArgumentError("[bundle_writer] layout: " + problem);
    }
    return layout;
  }

  template <class Got>
  ShapeError fail(const char* what, const std::string& expected, const Got& got) const {
    return ShapeError(concat("[bundle_writer] ", what, ": expected ", expected, ", got ", got, " (", record_.file, ", ",
                             tensor_, ")"));
  }

  void check(const char* what, const MatrixView& matrix, std::size_t rows, std::size_t cols) const {
    if (matrix.dtype == layout_.dtype && matrix.rows == rows && matrix.cols == cols) return;
    throw fail(what, concat(flashlm::name(layout_.dtype), " [", rows, ", ", cols, "]"),
               concat(flashlm::name(matrix.dtype), " [", matrix.rows, ", ", matrix.cols, "]"));
  }

  /// Writes the rows without gaps, or tiles of them; returns where the next matrix begins.
  std::byte* put(const MatrixView& matrix, std::byte* into) const {
    if (is_block(layout_.dtype)) {
      to_tiles(matrix, into);
      return into + layout_.matrix_bytes();
    }
    const std::size_t bytes = row_bytes(layout_.dtype, layout_.dim);
    for (std::size_t row = 0; row < matrix.rows; ++row) std::copy_n(matrix.row(row), bytes, into + row * bytes);
    return into + layout_.matrix_bytes();
  }

  BundleLayout layout_;
  std::string tensor_;
  SafetensorsWriter writer_;
  AlignedBuffer bundle_;  // [stride]
  LayerRecord record_;
  std::size_t done_ = 0;  // neurons written
};

}  // namespace flashlm::inline v0::storage

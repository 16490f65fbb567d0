// SPDX-License-Identifier: Apache-2.0
/// bundle_writer.ipp: the bodies of bundle_writer.hpp.
#pragma once

#include "flashlm/storage/format/bundle_writer.hpp"

#include <algorithm>

#include "flashlm/compute/cpu/quantise/tiling.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE BundleWriter::BundleWriter(const std::filesystem::path& path, std::size_t layer,
                                        const BundleLayout& layout)
    : layout_(checked(layout)),
      tensor_(concat("layers.", layer, ".bundles")),
      writer_(path, {{tensor_, DType::u8, {layout.n_bundles(), layout.stride}}},
              {{"format", "flashlm"}}),
      bundle_(layout.stride) {
  record_.file = path.filename().string();
  record_.tensor = tensor_;
  record_.layout = layout;
}

FLASHLM_ONCE void BundleWriter::write(const MatrixView& gate, const MatrixView& up,
                                      const MatrixView& down) {
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
    throw fail(
        "rows",
        concat("the last ", left, " or fewer by whole bundles of ", layout_.neurons_per_bundle), n);
  }
  for (std::size_t first = 0; first < n; first += layout_.neurons_per_bundle) {
    const std::size_t rows = std::min(layout_.neurons_per_bundle, n - first);
    std::byte* into = bundle_.data();
    // What a shorter last bundle does not overwrite has to be zeros.
    if (rows < layout_.neurons_per_bundle) std::fill_n(into, layout_.stride, std::byte{0});
    if (layout_.gated) into = put(gate.slice(first, rows), into);
    into = put(up.slice(first, rows), into);
    if (is_block(layout_.dtype)) {
      put({down.data + row_bytes(layout_.dtype, first), layout_.dtype, layout_.dim, rows,
           down.stride},
          into);
    } else {
      put(down.slice(first, rows), into);
    }
    writer_.write(tensor_, bundle_.bytes());
    done_ += rows;
  }
}

FLASHLM_ONCE std::pair<FileRecord, LayerRecord> BundleWriter::finish() {
  if (done_ != layout_.n_neurons) throw fail("neurons", concat(layout_.n_neurons), done_);
  return {writer_.finish(), record_};
}

FLASHLM_ONCE const BundleLayout& BundleWriter::checked(const BundleLayout& layout) {
  if (const std::string problem = layout.problem(); !problem.empty()) {
    throw ArgumentError("[bundle_writer] layout: " + problem);
  }
  return layout;
}

FLASHLM_ONCE void BundleWriter::check(const char* what, const MatrixView& matrix, std::size_t rows,
                                      std::size_t cols) const {
  if (matrix.dtype == layout_.dtype && matrix.rows == rows && matrix.cols == cols) return;
  throw fail(what, concat(flashlm::name(layout_.dtype), " [", rows, ", ", cols, "]"),
             concat(flashlm::name(matrix.dtype), " [", matrix.rows, ", ", matrix.cols, "]"));
}

FLASHLM_ONCE std::byte* BundleWriter::put(const MatrixView& matrix, std::byte* into) const {
  if (is_block(layout_.dtype)) {
    kernels::to_tiles(matrix, into);
    return into + layout_.matrix_bytes();
  }
  const std::size_t bytes = row_bytes(layout_.dtype, layout_.dim);
  for (std::size_t row = 0; row < matrix.rows; ++row)
    std::copy_n(matrix.row(row), bytes, into + row * bytes);
  return into + layout_.matrix_bytes();
}

}  // namespace flashlm::inline FLASHLM_ABI::storage

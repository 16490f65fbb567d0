// SPDX-License-Identifier: Apache-2.0
/// bundle_layout.ipp: the bodies of bundle_layout.hpp.
#pragma once

#include "flashlm/storage/format/bundle_layout.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_INLINE BundleLayout BundleLayout::make(std::size_t n_neurons,
                                               std::size_t neurons_per_bundle, std::size_t dim,
                                               bool gated, DType dtype) {
  BundleLayout layout{n_neurons, neurons_per_bundle, dim, gated, dtype, 0};
  if (const std::string problem = layout.shape_problem(); !problem.empty()) {
    throw ArgumentError("[bundle_layout] " + problem);
  }
  const std::size_t payload = layout.payload_bytes();
  const std::size_t page = round_up(payload, kPageBytes);
  layout.stride = (page - payload) * 20 < payload ? page : round_up(payload, kSectorBytes);
  if (const std::string problem = layout.problem(); !problem.empty()) {
    throw ArgumentError("[bundle_layout] " + problem);
  }
  return layout;
}

FLASHLM_INLINE std::size_t BundleLayout::n_bundles() const noexcept {
  return n_neurons / neurons_per_bundle + (n_neurons % neurons_per_bundle != 0 ? 1 : 0);
}

FLASHLM_INLINE std::size_t BundleLayout::neurons_in(std::size_t bundle) const noexcept {
  const std::size_t left = n_neurons - bundle * neurons_per_bundle;
  return left < neurons_per_bundle ? left : neurons_per_bundle;
}

FLASHLM_INLINE std::string BundleLayout::problem() const {
  if (std::string problem = shape_problem(); !problem.empty()) return problem;
  if (stride < payload_bytes()) {
    return concat("expected a stride of at least ", payload_bytes(), " bytes, got ", stride);
  }
  if (stride > kLargest / n_bundles()) {
    return concat("expected at most 2^62 bytes, got ", n_bundles(), " bundles of ", stride);
  }
  return {};
}

FLASHLM_INLINE std::string BundleLayout::shape_problem() const {
  if (n_neurons == 0 || neurons_per_bundle == 0 || dim == 0) {
    return concat("expected counts above 0, got ", n_neurons, " neurons, ", neurons_per_bundle,
                  " neurons per bundle, dim ", dim);
  }
  if (dtype == DType::u8) return concat("expected numbers in ", names_of(is_number), ", got u8");
  const std::size_t numbers = format_of(dtype).numbers;
  if (is_block(dtype) &&
      (numbers != kBundleNeurons || neurons_per_bundle != numbers || n_neurons % numbers != 0)) {
    return concat("expected whole bundles of ", kBundleNeurons, " neurons, since a block of ",
                  name(dtype), " spans as many, got ", n_neurons, " neurons, ", neurons_per_bundle,
                  " neurons per bundle");
  }
  if (dim % numbers != 0) {
    return concat("expected a dim that is a multiple of ", numbers, " for ", name(dtype), ", got ",
                  dim);
  }
  const std::size_t bytes =
      (is_block(dtype) ? 2 : row_bytes(dtype, 1)) * n_matrices();  // of a number, at most
  if (n_neurons > kLargest || dim > kLargest / bytes ||
      neurons_per_bundle > kLargest / (dim * bytes)) {
    return concat("expected bundles of at most 2^62 bytes, got ", neurons_per_bundle,
                  " neurons of dim ", dim);
  }
  return {};
}

FLASHLM_INLINE BundleView view(const BundleLayout& layout, const std::byte* bundle,
                               std::size_t index) {
  FLASHLM_ASSERT(index < layout.n_bundles() && !is_block(layout.dtype));
  const std::size_t rows = layout.neurons_in(index);
  const std::size_t step = layout.matrix_bytes();
  BundleView result;
  if (layout.gated) {
    result.gate = MatrixView::dense(bundle, layout.dtype, rows, layout.dim);
    bundle += step;
  }
  result.up = MatrixView::dense(bundle, layout.dtype, rows, layout.dim);
  result.down = MatrixView::dense(bundle + step, layout.dtype, rows, layout.dim);
  return result;
}

FLASHLM_INLINE BundleTiles tiles(const BundleLayout& layout, const std::byte* bundles,
                                 std::size_t n_bundles) {
  FLASHLM_ASSERT(is_block(layout.dtype) && n_bundles <= layout.n_bundles());
  const std::size_t n = n_bundles * kTileRows, tile = tile_bytes(layout.dtype);
  BundleTiles result;
  if (layout.gated) {
    result.gate = {bundles, layout.dtype, n, layout.dim, layout.stride, tile};
    bundles += layout.matrix_bytes();
  }
  result.up = {bundles, layout.dtype, n, layout.dim, layout.stride, tile};
  result.down = {bundles + layout.matrix_bytes(), layout.dtype, layout.dim, n, tile, layout.stride};
  return result;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage

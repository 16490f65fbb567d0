// SPDX-License-Identifier: Apache-2.0
/// bundle_layout.hpp: how the neurons of a layer lie in a file (row-column bundling,
/// arXiv:2312.11514, section 3.2).
///
/// Neuron i of a feed-forward network needs row i of the gate and up matrices and column i of the
/// down matrix. A bundle holds all of these for a run of neurons, so that one read brings
/// everything that they need:
///
///     gate rows [neurons_per_bundle, dim]      where the network is gated
///     up rows   [neurons_per_bundle, dim]
///     down columns, one row a neuron [neurons_per_bundle, dim]
///     zeros up to `stride` bytes
///
/// The last bundle may hold fewer neurons; its missing rows are zeros.
///
/// Of a quantised layer a bundle has 32 neurons, and each of its matrices lies in tiles
/// (base/tiles.hpp):
///
///     gate [32, dim], up [32, dim]: a strip each
///     down [dim, 32], as it is in the model: its blocks run along the neurons, so that 32 neurons
///     keep them whole
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// The shape of the bundles of one layer.
struct BundleLayout {
  std::size_t n_neurons = 0;
  std::size_t neurons_per_bundle = 0;
  std::size_t dim = 0;
  bool gated = false;
  DType dtype = DType::f32;
  std::size_t stride = 0;  // bytes from one bundle to the next

  /// A layout with the stride that suits flash: the payload padded to sectors, to pages where that
  /// costs under 5 %.
  ///
  /// Throws ArgumentError if a count is 0, the bytes overflow, or the numbers are no weights.
  static BundleLayout make(std::size_t n_neurons, std::size_t neurons_per_bundle, std::size_t dim,
                           bool gated, DType dtype);

  std::size_t n_bundles() const noexcept;

  /// Neurons in bundle `bundle`; fewer than neurons_per_bundle only in the last one.
  std::size_t neurons_in(std::size_t bundle) const noexcept;

  /// Matrices in a bundle: 3 with a gate, 2 without.
  std::size_t n_matrices() const noexcept { return gated ? 3 : 2; }

  /// Bytes of one matrix of a bundle; tiles take as many as rows.
  std::size_t matrix_bytes() const noexcept { return neurons_per_bundle * row_bytes(dtype, dim); }

  /// Bytes of a bundle that are numbers; the rest of the stride is zeros.
  std::size_t payload_bytes() const noexcept { return n_matrices() * matrix_bytes(); }

  /// Bytes of all bundles.
  std::uint64_t total_bytes() const noexcept {
    return static_cast<std::uint64_t>(n_bundles()) * stride;
  }

  /// What is wrong with the numbers, as words for an error message; empty if nothing is. No other
  /// call overflows then.
  std::string problem() const;

  friend bool operator==(const BundleLayout&, const BundleLayout&) noexcept = default;

 private:
  static constexpr std::size_t kSectorBytes = 512;  // the smallest unit of direct I/O
  static constexpr std::size_t kLargest = std::size_t{1}
                                          << 62;  // sums of two such sizes do not overflow

  std::string shape_problem() const;
};

/// The matrices of one bundle, one row a neuron: each [neurons_in(bundle), dim]. `gate` is empty
/// without a gate.
struct BundleView {
  MatrixView gate;
  MatrixView up;
  MatrixView down;
};

/// The matrices of bundle number `index`, whose bytes begin at `bundle`. `index` must be below
/// n_bundles(). Not for a quantised layer.
BundleView view(const BundleLayout& layout, const std::byte* bundle, std::size_t index);

/// The matrices of some bundles of a quantised layer together: gate and up [neurons, dim], down
/// [dim, neurons]. `gate` is empty without a gate.
struct BundleTiles {
  TilesView gate;
  TilesView up;
  TilesView down;
};

/// The matrices of `n_bundles` bundles that lie a stride apart, the first at `bundles`.
BundleTiles tiles(const BundleLayout& layout, const std::byte* bundles, std::size_t n_bundles);

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/bundle_layout.ipp"
#endif

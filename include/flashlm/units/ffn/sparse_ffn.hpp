// SPDX-License-Identifier: Apache-2.0
/// sparse_ffn.hpp: the feed-forward network as a sum over neurons.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/format/bundle_layout.hpp"
#include "flashlm/units/ffn_parameters.hpp"
#include "flashlm/units/select/activation_tap.hpp"
#include "flashlm/units/select/active_sets.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Parts of columns are multiples of this: whole cache lines of y.
inline constexpr std::size_t kGrainColumns = 32;
static_assert(kGrainColumns % kTileRows == 0,
              "columns of y are rows of the down matrix, which are cut between tiles");

/// Columns of y that a thread takes at once: one part a thread, so that each reads long pieces of
/// the rows, which memory needs to be fast. A multiple of kGrainColumns.
std::size_t column_grain(std::size_t dim, int n_threads) noexcept;

/// Adds the part of some neurons to the output of a feed-forward network:
///
///     h[t, n] = activation(gate[n] . x[t]) * (up[n] . x[t] + up_bias[n])      with a gate
///     h[t, n] = activation(up[n] . x[t] + up_bias[n])                         without
///     y[t]   += sum over n, ascending, of h[t, n] * down[n]
///
/// Calls for neurons in ascending order give the same bits however they are cut (numerics, rule 1):
/// each output element is one chain of fused multiply-adds, in a quantised layer with a link for
/// each bundle (kernels::tile_dots). There x and h are rounded to 8 bits, in blocks of 32. Holds
/// scratch only. Not thread-safe.
class SparseFfn {
 public:
  /// Scratch for batches of up to `max_tokens`; quantised layers, if there are any, have up to
  /// `quantised_dim`. `parallel` must outlive this object.
  SparseFfn(Parallel& parallel, std::size_t max_tokens, std::size_t quantised_dim = 0);

  /// Bytes that an object of that shape holds.
  static std::size_t bytes(std::size_t max_tokens, std::size_t quantised_dim = 0) noexcept;

  /// From now on `tap` is told every activation; null: nobody is. It must outlive its use.
  void watch(ActivationTap* tap) noexcept { tap_ = tap; }

  /// From now on h of a neuron that is not in its token's set is 0; null: every neuron counts. It
  /// must outlive its use.
  void restrict_to(const ActiveSets* sets) noexcept { sets_ = sets; }

  /// y += the neurons of bundles [first, first + n_bundles), which lie at `bundles` one stride
  /// apart.
  ///
  /// x [n_tokens, dim], y [n_tokens, dim], row-major; y may not overlap x.
  void accumulate(const storage::BundleLayout& layout, const FfnParameters& parameters,
                  const std::byte* bundles, std::size_t first, std::size_t n_bundles,
                  std::span<const float> x, std::size_t n_tokens, std::span<float> y);

 private:
  // Neurons between two barriers: many enough to share the barrier's cost, few enough to stay in
  // cache.
  static constexpr std::size_t kRunNeurons = 2048;
  static constexpr std::size_t kNeuronGrain = 32;  // floats: threads share no cache line of h

  struct Run {
    const storage::BundleLayout* layout;
    const FfnParameters* parameters;
    const std::byte* bundles;
    std::size_t first;
    std::size_t n_bundles;

    storage::BundleTiles tiles() const { return storage::tiles(*layout, bundles, n_bundles); }

    storage::BundleView bundle(std::size_t index) const;

    /// Calls visit(neuron of the run, views) for bundles [begin, end): for each of them, or, where
    /// a bundle is one neuron, for all at once as matrices whose rows lie a stride apart, since
    /// kernels like many rows.
    template <class Visit>
    void blocks(std::size_t begin, std::size_t end, Visit&& visit) const {
      if (begin < end && layout->neurons_per_bundle == 1) {
        storage::BundleView all = bundle(begin);
        for (MatrixView* matrix : {&all.gate, &all.up, &all.down}) {
          matrix->rows *= end - begin;  // of an absent gate: 0
          matrix->stride = layout->stride;
        }
        return visit(begin, all);
      }
      for (std::size_t at = begin; at < end; ++at)
        visit(at * layout->neurons_per_bundle, bundle(at));
    }
  };

  float* gates(std::size_t token, std::size_t neuron) noexcept;
  float* ups(std::size_t token, std::size_t neuron) noexcept {
    return gates(max_tokens_ + token, neuron);
  }

  static std::size_t n_blocks(std::size_t max_tokens, std::size_t quantised_dim) noexcept;
  ActivationBlock* h_blocks(std::size_t token) noexcept;
  ActivationBlock* x_blocks(std::size_t token) noexcept;

  /// h of every neuron of the run, into gates.
  void activate(const Run& run, std::span<const float> x, std::size_t n_tokens);

  /// x in blocks.
  void round(const storage::BundleLayout& layout, std::span<const float> x, std::size_t n_tokens);

  /// The same as `activate` for tiles, and h in blocks. A quantised layer has no selector: every
  /// neuron counts.
  void activate_tiles(const Run& run, std::size_t n_tokens);

  void sum_tiles(const Run& run, std::size_t n_tokens, std::span<float> y);

  /// y += h * down, each thread a slice of the columns, neurons ascending.
  void sum(const Run& run, std::size_t n_tokens, std::span<float> y);

  Parallel* parallel_;
  std::size_t max_tokens_;
  ActivationTap* tap_ = nullptr;
  const ActiveSets* sets_ = nullptr;
  std::size_t quantised_dim_;
  AlignedBuffer scratch_;  // gates [max_tokens, kRunNeurons], ups [max_tokens, kRunNeurons]
  AlignedBuffer blocks_;   // ActivationBlock: h [max_tokens, kRunNeurons / 32], x [max_tokens,
                           // quantised_dim / 32]
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/sparse_ffn.ipp"
#endif

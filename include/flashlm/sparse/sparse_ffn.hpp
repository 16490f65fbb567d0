// SPDX-License-Identifier: Apache-2.0
/// sparse_ffn.hpp: the feed-forward network as a sum over neurons.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/parallel.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/kernels/activation.hpp"
#include "flashlm/kernels/elementwise.hpp"
#include "flashlm/kernels/matmul.hpp"
#include "flashlm/kernels/neuron_sum.hpp"
#include "flashlm/kernels/tile_dots.hpp"
#include "flashlm/sparse/activation_tap.hpp"
#include "flashlm/sparse/active_sets.hpp"
#include "flashlm/storage/bundle_layout.hpp"

namespace flashlm::inline v0::sparse {

/// What a feed-forward network computes with its neurons, beside their weights.
struct FfnParameters {
  kernels::Activation activation = kernels::Activation::silu;  // without a gate, one of the ReLU family
  float threshold = 0;                                         // of fatrelu
  std::span<const float> up_bias{};                            // [n_neurons], or empty
};

/// Columns of y that a thread takes at once: one part a thread, so that each reads long pieces of the rows, which
/// memory needs to be fast. A multiple of 32: whole cache lines of y, and whole tiles.
inline std::size_t column_grain(std::size_t dim, int n_threads) noexcept {
  const std::size_t n_parts = static_cast<std::size_t>(n_threads);
  return round_up((dim + n_parts - 1) / n_parts, kBlockNumbers);
}

/// Adds the part of some neurons to the output of a feed-forward network:
///
///     h[t, n] = activation(gate[n] . x[t]) * (up[n] . x[t] + up_bias[n])      with a gate
///     h[t, n] = activation(up[n] . x[t] + up_bias[n])                         without
///     y[t]   += sum over n, ascending, of h[t, n] * down[n]
///
/// Calls for neurons in ascending order give the same bits however they are cut (numerics, rule 1): each output element
/// is one chain of fused multiply-adds, in a quantised layer with a link for each bundle (kernels::tile_dots). There x
/// and h are rounded to 8 bits, in blocks of 32. Holds scratch only. Not thread-safe.
class SparseFfn {
 public:
  /// Scratch for batches of up to `max_tokens`; quantised layers, if there are any, have up to `quantised_dim`.
  /// `parallel` must outlive this object.
  SparseFfn(Parallel& parallel, std::size_t max_tokens, std::size_t quantised_dim = 0)
      : parallel_(&parallel),
        max_tokens_(max_tokens),
        quantised_dim_(quantised_dim),
        scratch_(2 * max_tokens * kRunNeurons * sizeof(float)),
        blocks_(n_blocks(max_tokens, quantised_dim) * sizeof(ActivationBlock)) {}

  /// Bytes that an object of that shape holds.
  static std::size_t bytes(std::size_t max_tokens, std::size_t quantised_dim = 0) noexcept {
    return 2 * max_tokens * kRunNeurons * sizeof(float) + n_blocks(max_tokens, quantised_dim) * sizeof(ActivationBlock);
  }

  /// From now on `tap` is told every activation; null: nobody is. It must outlive its use.
  void watch(ActivationTap* tap) noexcept { tap_ = tap; }

  /// From now on h of a neuron that is not in its token's set is 0; null: every neuron counts. It must outlive its use.
  void restrict_to(const ActiveSets* sets) noexcept { sets_ = sets; }

  /// y += the neurons of bundles [first, first + n_bundles), which lie at `bundles` one stride apart.
  ///
  /// x [n_tokens, dim], y [n_tokens, dim], row-major; y may not overlap x.
  void accumulate(const storage::BundleLayout& layout, const FfnParameters& parameters, const std::byte* bundles,
                  std::size_t first, std::size_t n_bundles, std::span<const float> x, std::size_t n_tokens,
                  std::span<float> y) {
    if (layout.neurons_per_bundle > kRunNeurons || n_tokens > max_tokens_) {
      throw ShapeError(concat("[sparse_ffn] scratch: expected at most ", kRunNeurons, " neurons a bundle and ",
                              max_tokens_, " tokens, got ", layout.neurons_per_bundle, " and ", n_tokens));
    }
    if (is_block(layout.dtype)) round(layout, x, n_tokens);
    const std::size_t most = kRunNeurons / layout.neurons_per_bundle;
    for (std::size_t at = 0; at < n_bundles; at += most) {
      const Run run{&layout, &parameters, bundles + at * layout.stride, first + at, std::min(most, n_bundles - at)};
      if (is_block(layout.dtype)) {
        activate_tiles(run, n_tokens);
      } else {
        activate(run, x, n_tokens);
      }
      if (tap_ != nullptr) {
        const std::size_t neuron = run.first * layout.neurons_per_bundle;
        const std::size_t n = std::min(run.n_bundles * layout.neurons_per_bundle, layout.n_neurons - neuron);
        tap_->put(neuron, n, n_tokens, gates(0, 0), kRunNeurons);
      }
      if (is_block(layout.dtype)) {
        sum_tiles(run, n_tokens, y);
      } else {
        sum(run, n_tokens, y);
      }
    }
  }

 private:
  // Neurons between two barriers: many enough to share the barrier's cost, few enough to stay in cache.
  static constexpr std::size_t kRunNeurons = 2048;
  static constexpr std::size_t kNeuronGrain = 32;  // floats: threads share no cache line of h

  struct Run {
    const storage::BundleLayout* layout;
    const FfnParameters* parameters;
    const std::byte* bundles;
    std::size_t first;
    std::size_t n_bundles;

    storage::BundleTiles tiles() const { return storage::tiles(*layout, bundles, n_bundles); }

    storage::BundleView bundle(std::size_t index) const {
      return storage::view(*layout, bundles + index * layout->stride, first + index);
    }

    /// Calls visit(neuron of the run, views) for bundles [begin, end): for each of them, or, where a bundle is one
    /// neuron, for all at once as matrices whose rows lie a stride apart, since kernels like many rows.
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
      for (std::size_t at = begin; at < end; ++at) visit(at * layout->neurons_per_bundle, bundle(at));
    }
  };

  float* gates(std::size_t token, std::size_t neuron) noexcept {
    return scratch_.as<float>().data() + token * kRunNeurons + neuron;
  }
  float* ups(std::size_t token, std::size_t neuron) noexcept { return gates(max_tokens_ + token, neuron); }

  static std::size_t n_blocks(std::size_t max_tokens, std::size_t quantised_dim) noexcept {
    return quantised_dim == 0 ? 0 : max_tokens * (quantised_dim + kRunNeurons) / kBlockNumbers;
  }
  ActivationBlock* h_blocks(std::size_t token) noexcept {
    return blocks_.as<ActivationBlock>().data() + token * (kRunNeurons / kBlockNumbers);
  }
  ActivationBlock* x_blocks(std::size_t token) noexcept {
    return h_blocks(max_tokens_) + token * (quantised_dim_ / kBlockNumbers);
  }

  /// h of every neuron of the run, into gates.
  void activate(const Run& run, std::span<const float> x, std::size_t n_tokens) {
    const storage::BundleLayout& layout = *run.layout;
    const std::size_t grain = std::max<std::size_t>(1, kNeuronGrain / layout.neurons_per_bundle);
    parallel_->for_range(run.n_bundles, grain, [&](std::size_t begin, std::size_t end) {
      run.blocks(begin, end, [&](std::size_t neuron, const storage::BundleView& block) {
        const std::size_t id = run.first * layout.neurons_per_bundle + neuron;
        if (layout.gated) kernels::matmul(block.gate, x.data(), layout.dim, n_tokens, gates(0, neuron), kRunNeurons);
        float* ups = layout.gated ? this->ups(0, neuron) : gates(0, neuron);
        kernels::matmul(block.up, x.data(), layout.dim, n_tokens, ups, kRunNeurons);
        for (std::size_t token = 0; token < n_tokens; ++token) {
          finish(*run.parameters, layout.gated, id, {gates(token, neuron), block.up.rows},
                 {ups + token * kRunNeurons, block.up.rows});
          for (std::size_t at = 0; at < block.up.rows && sets_ != nullptr; ++at) {
            if (!sets_->has(token, static_cast<NeuronId>(id + at))) gates(token, neuron)[at] = 0;
          }
        }
      });
    });
  }

  /// x in blocks.
  void round(const storage::BundleLayout& layout, std::span<const float> x, std::size_t n_tokens) {
    if (layout.dim > quantised_dim_) {
      throw ShapeError(concat("[sparse_ffn] scratch: expected quantised layers of dim ", quantised_dim_,
                              " at most, got ", layout.dim));
    }
    parallel_->for_range(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t t = begin; t < end; ++t) kernels::to_blocks(x.subspan(t * layout.dim, layout.dim), x_blocks(t));
    });
  }

  /// The same as `activate` for tiles, and h in blocks. A quantised layer has no selector: every neuron counts.
  void activate_tiles(const Run& run, std::size_t n_tokens) {
    const storage::BundleLayout& layout = *run.layout;
    const storage::BundleTiles tiles = run.tiles();
    const auto dots = [&](const TilesView& matrix, std::size_t begin, std::size_t n, float* to) {
      for (std::size_t t = 0; t < n_tokens; ++t) std::fill_n(to + t * kRunNeurons, n, 0.0f);
      kernels::tile_dots(matrix.slice(begin, begin + n), x_blocks(0), quantised_dim_ / kBlockNumbers, n_tokens, to,
                         kRunNeurons);
    };
    parallel_->for_range(run.n_bundles, 1, [&](std::size_t first, std::size_t last) {
      const std::size_t begin = first * kTileRows, n = (last - first) * kTileRows;
      if (layout.gated) dots(tiles.gate, begin, n, gates(0, begin));
      float* ups = layout.gated ? this->ups(0, begin) : gates(0, begin);
      dots(tiles.up, begin, n, ups);
      for (std::size_t t = 0; t < n_tokens; ++t) {
        const std::span<float> h(gates(t, begin), n);
        finish(*run.parameters, layout.gated, run.first * kTileRows + begin, h, {ups + t * kRunNeurons, n});
        kernels::to_blocks(h, h_blocks(t) + first);
      }
    });
  }

  void sum_tiles(const Run& run, std::size_t n_tokens, std::span<float> y) {
    const std::size_t dim = run.layout->dim;
    const TilesView down = run.tiles().down;
    parallel_->for_range(dim, column_grain(dim, parallel_->n_threads()), [&](std::size_t begin, std::size_t end) {
      kernels::tile_dots(down.slice(begin, end), h_blocks(0), kRunNeurons / kBlockNumbers, n_tokens, y.data() + begin,
                         dim);
    });
  }

  /// The activation of neurons id, id + 1, ... of one token, into `gate`; without a gate, `gate` is `up`.
  static void finish(const FfnParameters& parameters, bool gated, std::size_t id, std::span<float> gate,
                     std::span<float> up) {
    if (!parameters.up_bias.empty()) kernels::add(parameters.up_bias.subspan(id, up.size()), up);
    if (gated) {
      kernels::activate(parameters.activation, parameters.threshold, gate, up);
    } else {
      kernels::rectify(parameters.activation, parameters.threshold, up);
    }
  }

  /// y += h * down, each thread a slice of the columns, neurons ascending.
  void sum(const Run& run, std::size_t n_tokens, std::span<float> y) {
    const std::size_t dim = run.layout->dim;
    parallel_->for_range(dim, column_grain(dim, parallel_->n_threads()), [&](std::size_t begin, std::size_t end) {
      run.blocks(0, run.n_bundles, [&](std::size_t neuron, const storage::BundleView& block) {
        const bool last = neuron + block.down.rows >= run.n_bundles * run.layout->neurons_per_bundle;
        const std::byte* next = last ? nullptr : block.down.data + run.layout->stride;
        kernels::neuron_sum(block.down, gates(0, neuron), kRunNeurons, n_tokens, y.data(), dim, begin, end, next);
      });
    });
  }

  Parallel* parallel_;
  std::size_t max_tokens_;
  ActivationTap* tap_ = nullptr;
  const ActiveSets* sets_ = nullptr;
  std::size_t quantised_dim_;
  AlignedBuffer scratch_;  // gates [max_tokens, kRunNeurons], ups [max_tokens, kRunNeurons]
  AlignedBuffer blocks_;   // ActivationBlock: h [max_tokens, kRunNeurons / 32], x [max_tokens, quantised_dim / 32]
};

}  // namespace flashlm::inline v0::sparse

// SPDX-License-Identifier: Apache-2.0
/// sparse_ffn.ipp: the bodies of sparse_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/sparse_ffn.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/backend.hpp"
#include "flashlm/units/ffn/neuron_activation.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE std::size_t column_grain(std::size_t dim, int n_threads) noexcept {
  const std::size_t n_parts = static_cast<std::size_t>(n_threads);
  return round_up((dim + n_parts - 1) / n_parts, kGrainColumns);
}

FLASHLM_INLINE SparseFfn::SparseFfn(Parallel& parallel, std::size_t max_tokens,
                                    std::size_t quantised_dim)
    : parallel_(&parallel),
      max_tokens_(max_tokens),
      quantised_dim_(quantised_dim),
      scratch_(2 * max_tokens * kRunNeurons * sizeof(float)),
      blocks_(n_blocks(max_tokens, quantised_dim) * sizeof(ActivationBlock)) {}

FLASHLM_INLINE std::size_t SparseFfn::bytes(std::size_t max_tokens,
                                            std::size_t quantised_dim) noexcept {
  return 2 * max_tokens * kRunNeurons * sizeof(float) +
         n_blocks(max_tokens, quantised_dim) * sizeof(ActivationBlock);
}

FLASHLM_INLINE void SparseFfn::accumulate(const storage::BundleLayout& layout,
                                          const FfnParameters& parameters, const std::byte* bundles,
                                          std::size_t first, std::size_t n_bundles,
                                          std::span<const float> x, std::size_t n_tokens,
                                          std::span<float> y) {
  if (layout.neurons_per_bundle > kRunNeurons || n_tokens > max_tokens_) {
    throw ShapeError(concat("[sparse_ffn] scratch: expected at most ", kRunNeurons,
                            " neurons a bundle and ", max_tokens_, " tokens, got ",
                            layout.neurons_per_bundle, " and ", n_tokens));
  }
  if (is_block(layout.dtype)) round(layout, x, n_tokens);
  const std::size_t most = kRunNeurons / layout.neurons_per_bundle;
  for (std::size_t at = 0; at < n_bundles; at += most) {
    const Run run{&layout, &parameters, bundles + at * layout.stride, first + at,
                  std::min(most, n_bundles - at)};
    if (is_block(layout.dtype)) {
      activate_tiles(run, n_tokens);
    } else {
      activate(run, x, n_tokens);
    }
    if (tap_ != nullptr) {
      const std::size_t neuron = run.first * layout.neurons_per_bundle;
      const std::size_t n =
          std::min(run.n_bundles * layout.neurons_per_bundle, layout.n_neurons - neuron);
      tap_->put(neuron, n, n_tokens, gates(0, 0), kRunNeurons);
    }
    if (is_block(layout.dtype)) {
      sum_tiles(run, n_tokens, y);
    } else {
      sum(run, n_tokens, y);
    }
  }
}

FLASHLM_INLINE storage::BundleView SparseFfn::Run::bundle(std::size_t index) const {
  return storage::view(*layout, bundles + index * layout->stride, first + index);
}

FLASHLM_INLINE float* SparseFfn::gates(std::size_t token, std::size_t neuron) noexcept {
  return scratch_.as<float>().data() + token * kRunNeurons + neuron;
}

FLASHLM_INLINE std::size_t SparseFfn::n_blocks(std::size_t max_tokens,
                                               std::size_t quantised_dim) noexcept {
  return quantised_dim == 0 ? 0 : max_tokens * (quantised_dim + kRunNeurons) / kActivationNumbers;
}

FLASHLM_INLINE ActivationBlock* SparseFfn::h_blocks(std::size_t token) noexcept {
  return blocks_.as<ActivationBlock>().data() + token * (kRunNeurons / kActivationNumbers);
}

FLASHLM_INLINE ActivationBlock* SparseFfn::x_blocks(std::size_t token) noexcept {
  return h_blocks(max_tokens_) + token * (quantised_dim_ / kActivationNumbers);
}

FLASHLM_INLINE void SparseFfn::activate(const Run& run, std::span<const float> x,
                                        std::size_t n_tokens) {
  const storage::BundleLayout& layout = *run.layout;
  const std::size_t grain = std::max<std::size_t>(1, kNeuronGrain / layout.neurons_per_bundle);
  parallel_->for_range(run.n_bundles, grain, [&](std::size_t begin, std::size_t end) {
    run.blocks(begin, end, [&](std::size_t neuron, const storage::BundleView& block) {
      const std::size_t id = run.first * layout.neurons_per_bundle + neuron;
      if (layout.gated)
        compute::Backend::product(block.gate, x.data(), layout.dim, n_tokens, gates(0, neuron),
                                  kRunNeurons);
      float* ups = layout.gated ? this->ups(0, neuron) : gates(0, neuron);
      compute::Backend::product(block.up, x.data(), layout.dim, n_tokens, ups, kRunNeurons);
      for (std::size_t token = 0; token < n_tokens; ++token) {
        const std::size_t n = block.up.rows;
        activate_neurons(*run.parameters, run.parameters->bias(id, n), {gates(token, neuron), n},
                         {ups + token * kRunNeurons, layout.gated ? n : 0});
        for (std::size_t at = 0; at < block.up.rows && sets_ != nullptr; ++at) {
          if (!sets_->has(token, static_cast<NeuronId>(id + at))) gates(token, neuron)[at] = 0;
        }
      }
    });
  });
}

FLASHLM_INLINE void SparseFfn::round(const storage::BundleLayout& layout, std::span<const float> x,
                                     std::size_t n_tokens) {
  if (layout.dim > quantised_dim_) {
    throw ShapeError(concat("[sparse_ffn] scratch: expected quantised layers of dim ",
                            quantised_dim_, " at most, got ", layout.dim));
  }
  parallel_->for_range(n_tokens, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t)
      compute::Backend::round(x.subspan(t * layout.dim, layout.dim), x_blocks(t));
  });
}

FLASHLM_INLINE void SparseFfn::activate_tiles(const Run& run, std::size_t n_tokens) {
  const storage::BundleLayout& layout = *run.layout;
  const storage::BundleTiles tiles = run.tiles();
  const auto dots = [&](const TilesView& matrix, std::size_t begin, std::size_t n, float* to) {
    for (std::size_t t = 0; t < n_tokens; ++t) std::fill_n(to + t * kRunNeurons, n, 0.0f);
    compute::Backend::product(matrix.slice(begin, begin + n), x_blocks(0),
                              quantised_dim_ / kActivationNumbers, n_tokens, to, kRunNeurons);
  };
  parallel_->for_range(run.n_bundles, 1, [&](std::size_t first, std::size_t last) {
    const std::size_t begin = first * kTileRows, n = (last - first) * kTileRows;
    if (layout.gated) dots(tiles.gate, begin, n, gates(0, begin));
    float* ups = layout.gated ? this->ups(0, begin) : gates(0, begin);
    dots(tiles.up, begin, n, ups);
    for (std::size_t t = 0; t < n_tokens; ++t) {
      const std::span<float> h(gates(t, begin), n);
      activate_neurons(*run.parameters, run.parameters->bias(run.first * kTileRows + begin, n), h,
                       {ups + t * kRunNeurons, layout.gated ? n : 0});
      compute::Backend::round(h, h_blocks(t) + first);
    }
  });
}

FLASHLM_INLINE void SparseFfn::sum_tiles(const Run& run, std::size_t n_tokens, std::span<float> y) {
  const std::size_t dim = run.layout->dim;
  const TilesView down = run.tiles().down;
  parallel_->for_range(dim, column_grain(dim, parallel_->n_threads()),
                       [&](std::size_t begin, std::size_t end) {
                         compute::Backend::product(down.slice(begin, end), h_blocks(0),
                                                   kRunNeurons / kActivationNumbers, n_tokens,
                                                   y.data() + begin, dim);
                       });
}

FLASHLM_INLINE void SparseFfn::sum(const Run& run, std::size_t n_tokens, std::span<float> y) {
  const std::size_t dim = run.layout->dim;
  parallel_->for_range(
      dim, column_grain(dim, parallel_->n_threads()), [&](std::size_t begin, std::size_t end) {
        run.blocks(0, run.n_bundles, [&](std::size_t neuron, const storage::BundleView& block) {
          const bool last =
              neuron + block.down.rows >= run.n_bundles * run.layout->neurons_per_bundle;
          const std::byte* next = last ? nullptr : block.down.data + run.layout->stride;
          compute::Backend::neuron_sum(block.down, gates(0, neuron), kRunNeurons, n_tokens,
                                       y.data(), dim, begin, end, next);
        });
      });
}

}  // namespace flashlm::inline FLASHLM_ABI::units

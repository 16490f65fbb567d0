// SPDX-License-Identifier: Apache-2.0
/// gathered_ffn.ipp: the bodies of gathered_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/gathered_ffn.hpp"

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/compute/backend.hpp"
#include "flashlm/compute/cpu/isa/activation_kind.hpp"
#include "flashlm/units/ffn/neuron_activation.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE GatheredFfn::GatheredFfn(Parallel& parallel, std::size_t most)
    : parallel_(&parallel) {
  for (auto* rows : {&hits_.rows, &misses_.rows, &firing_rows_, &all_}) rows->reserve(most);
  for (auto* places : {&hits_.places, &misses_.places}) places->reserve(most);
  for (auto* numbers : {&h_, &firing_}) numbers->reserve(most);
  scratch_.resize(most);
  ups_.resize(most);
  biases_.resize(most);
  scratch_rows_.resize(most);
  scratch_places_.resize(most);
}

FLASHLM_INLINE std::size_t GatheredFfn::bytes(std::size_t most) noexcept {
  return most * (5 * sizeof(std::byte*) + 3 * sizeof(std::uint32_t) + 5 * sizeof(float));
}

FLASHLM_INLINE void GatheredFfn::clear() noexcept {
  hits_.clear();
  misses_.clear();
  h_.clear();
  all_.clear();
}

FLASHLM_INLINE void GatheredFfn::compute_hits(const storage::BundleLayout& layout,
                                              const FfnParameters& ffn,
                                              std::span<const NeuronId> ids,
                                              std::span<const float> x) {
  compute(hits_, layout, ffn, ids, x);
}

FLASHLM_INLINE void GatheredFfn::compute_misses(const storage::BundleLayout& layout,
                                                const FfnParameters& ffn,
                                                std::span<const NeuronId> ids,
                                                std::span<const float> x) {
  compute(misses_, layout, ffn, ids, x);
}

FLASHLM_INLINE void GatheredFfn::sum(const storage::BundleLayout& layout, std::span<float> y) {
  firing_.clear();
  firing_rows_.clear();
  for (std::size_t at = 0; at < h_.size(); ++at) {
    if (h_[at] == 0) continue;
    firing_.push_back(h_[at]);
    firing_rows_.push_back(all_[at]);
  }
  const std::size_t offset = (layout.n_matrices() - 1) * layout.matrix_bytes();
  const RowsView down{firing_rows_.data(), offset, layout.dtype, firing_rows_.size(), layout.dim};
  parallel_->for_range(layout.dim, column_grain(layout.dim, parallel_->n_threads()),
                       [&](std::size_t begin, std::size_t end) {
                         compute::Backend::gathered_sum(down, firing_.data(), y.data(), begin, end);
                       });
}

FLASHLM_INLINE void GatheredFfn::Part::clear() noexcept {
  rows.clear();
  places.clear();
}

FLASHLM_INLINE void GatheredFfn::add(Part& part, const std::byte* row) {
  part.rows.push_back(row);
  part.places.push_back(static_cast<std::uint32_t>(h_.size()));
  h_.push_back(0);
  all_.push_back(row);
}

FLASHLM_INLINE void GatheredFfn::compute(const Part& part, const storage::BundleLayout& layout,
                                         const FfnParameters& ffn, std::span<const NeuronId> ids,
                                         std::span<const float> x) {
  parallel_->for_range(part.rows.size(), kNeuronGrain, [&](std::size_t begin, std::size_t end) {
    compute(part, layout, ffn, ids, x, begin, end);
  });
}

FLASHLM_INLINE void GatheredFfn::compute(const Part& part, const storage::BundleLayout& layout,
                                         const FfnParameters& ffn, std::span<const NeuronId> ids,
                                         std::span<const float> x, std::size_t begin,
                                         std::size_t end) {
  const auto dots = [&](const std::byte* const* rows, std::size_t matrix, std::span<float> to) {
    compute::Backend::gathered_product(
        {rows, matrix * layout.matrix_bytes(), layout.dtype, to.size(), layout.dim}, x.data(),
        to.data());
  };
  std::span<float> h = std::span(scratch_).subspan(begin, end - begin);
  std::span<float> ups;
  const std::uint32_t* places = part.places.data() + begin;
  dots(part.rows.data() + begin, 0, h);
  if (layout.gated) {
    h = h.first(keep_firing(part, ffn, begin, h));
    ups = std::span(ups_).subspan(begin, h.size());
    places = scratch_places_.data() + begin;
    dots(scratch_rows_.data() + begin, 1, ups);
  }
  const std::span<float> biases = std::span(biases_).subspan(begin, h.size());
  if (!ffn.up_bias.empty()) {
    for (std::size_t at = 0; at < h.size(); ++at) biases[at] = ffn.up_bias[ids[places[at]]];
  }
  activate_neurons(ffn, ffn.up_bias.empty() ? ffn.up_bias : biases, h, ups);
  for (std::size_t at = 0; at < h.size(); ++at) h_[places[at]] = h[at];
}

FLASHLM_INLINE std::size_t GatheredFfn::keep_firing(const Part& part, const FfnParameters& ffn,
                                                    std::size_t begin, std::span<float> gates) {
  const bool sparse = kernels::is_sparse(ffn.activation);
  const float threshold = ffn.fires_from();
  std::size_t n = 0;
  for (std::size_t at = 0; at < gates.size(); ++at) {
    const float gate = gates[at];
    if (sparse && (gate < threshold || gate == 0)) continue;  // h stays 0
    gates[n] = gate;
    scratch_rows_[begin + n] = part.rows[begin + at];
    scratch_places_[begin + n] = part.places[begin + at];
    ++n;
  }
  return n;
}

}  // namespace flashlm::inline FLASHLM_ABI::units

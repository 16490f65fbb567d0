// SPDX-License-Identifier: Apache-2.0
/// gathered_ffn.ipp: the bodies of gathered_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/gathered_ffn.hpp"

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/compute/cpu/kernels/activation.hpp"
#include "flashlm/compute/cpu/kernels/gather.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE GatheredFfn::GatheredFfn(Parallel& parallel, std::size_t most)
    : parallel_(&parallel) {
  for (auto* rows : {&hits_.rows, &misses_.rows, &firing_rows_, &all_}) rows->reserve(most);
  for (auto* places : {&hits_.places, &misses_.places}) places->reserve(most);
  for (auto* numbers : {&h_, &firing_}) numbers->reserve(most);
  scratch_.resize(most);
  ups_.resize(most);
  scratch_rows_.resize(most);
  scratch_ids_.resize(most);
}

FLASHLM_INLINE std::size_t GatheredFfn::bytes(std::size_t most) noexcept {
  return most * (5 * sizeof(std::byte*) + 3 * sizeof(std::uint32_t) + 4 * sizeof(float));
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
                         kernels::gather_sum(down, firing_.data(), y.data(), begin, end);
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
    if (layout.gated) {
      gated(part, layout, ffn, ids, x, begin, end);
    } else {
      plain(part, layout, ffn, ids, x, begin, end);
    }
  });
}

FLASHLM_INLINE void GatheredFfn::plain(const Part& part, const storage::BundleLayout& layout,
                                       const FfnParameters& ffn, std::span<const NeuronId> ids,
                                       std::span<const float> x, std::size_t begin,
                                       std::size_t end) {
  const std::span<float> ups = std::span(scratch_).subspan(begin, end - begin);
  kernels::gather_dots({part.rows.data() + begin, 0, layout.dtype, ups.size(), layout.dim},
                       x.data(), ups.data());
  for (std::size_t at = begin; at < end && !ffn.up_bias.empty(); ++at) {
    ups[at - begin] += ffn.up_bias[ids[part.places[at]]];
  }
  kernels::activate(ffn.activation, ffn.threshold, ups);
  for (std::size_t at = begin; at < end; ++at) h_[part.places[at]] = ups[at - begin];
}

FLASHLM_INLINE void GatheredFfn::gated(const Part& part, const storage::BundleLayout& layout,
                                       const FfnParameters& ffn, std::span<const NeuronId> ids,
                                       std::span<const float> x, std::size_t begin,
                                       std::size_t end) {
  const std::span<float> gates = std::span(scratch_).subspan(begin, end - begin);
  kernels::gather_dots({part.rows.data() + begin, 0, layout.dtype, gates.size(), layout.dim},
                       x.data(), gates.data());
  // Rectified here to see what fires; `activate` does the same to its own copy.
  std::size_t n = 0;
  const bool sparse = kernels::is_sparse(ffn.activation);
  for (std::size_t at = begin; at < end; ++at) {
    const float gate = gates[at - begin];
    const float threshold = ffn.activation == kernels::Activation::fatrelu ? ffn.threshold : 0;
    if (sparse && (gate < threshold || gate == 0)) continue;  // h stays 0
    gates[n] = gate;
    scratch_rows_[begin + n] = part.rows[at];
    scratch_ids_[begin + n] = part.places[at];
    ++n;
  }
  const std::span<float> ups = std::span(ups_).subspan(begin, n);
  kernels::gather_dots(
      {scratch_rows_.data() + begin, layout.matrix_bytes(), layout.dtype, n, layout.dim}, x.data(),
      ups.data());
  for (std::size_t at = 0; at < n && !ffn.up_bias.empty(); ++at) {
    ups[at] += ffn.up_bias[ids[scratch_ids_[begin + at]]];
  }
  kernels::activate(ffn.activation, ffn.threshold, gates.first(n), ups);
  for (std::size_t at = 0; at < n; ++at) h_[scratch_ids_[begin + at]] = gates[at];
}

}  // namespace flashlm::inline FLASHLM_ABI::units

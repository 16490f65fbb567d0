// SPDX-License-Identifier: Apache-2.0
/// gate_selector.ipp: the bodies of gate_selector.hpp.
#pragma once

#include "flashlm/units/select/gate_selector.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/backend.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_ONCE GateSelector::GateSelector(SelectorFile file, std::size_t dim,
                                        std::span<const std::size_t> neurons)
    : file_(std::move(file)), dim_(dim) {
  static constexpr std::string_view kParts[] = {"gate", "facts"};
  file_.expect_tensors(neurons.size(), kParts);
  for (std::size_t index = 0; index < neurons.size(); ++index) {
    const std::string prefix = concat("layers.", index, ".");
    layers_.push_back({file_.matrix(prefix + "gate", neurons[index], dim),
                       {},
                       file_.raw(prefix + "facts", neurons[index], sizeof(RowFacts))});
    if (layers_.back().gate.dtype != DType::q8_0)
      file_.fail("dtype: expected q8_0 in U8", prefix + "gate");
  }
  scales_ = AlignedBuffer(scale_bytes(dim, neurons));
  std::byte* scales = scales_.data();
  for (Layer& layer : layers_) {
    layer.scales = MatrixView::dense(scales, DType::f16, layer.gate.rows, n_blocks());
    for (std::size_t block = 0; block < layer.gate.rows * n_blocks();
         ++block, scales += sizeof(std::uint16_t)) {
      std::memcpy(scales, layer.gate.data + block * format_of(DType::q8_0).bytes,
                  sizeof(std::uint16_t));
      scales[1] &= std::byte{0x7f};  // without the sign; numbers are little-endian
    }
  }
}

FLASHLM_INLINE std::size_t GateSelector::bytes(const SelectorFile& file, std::size_t dim,
                                               std::span<const std::size_t> neurons) noexcept {
  return file.bytes() + scale_bytes(dim, neurons);
}

FLASHLM_INLINE std::size_t GateSelector::scratch_bytes(std::size_t dim, std::size_t max_tokens,
                                                       int n_threads) noexcept {
  const std::size_t words = 2 * ActiveSets::kWordNeurons * static_cast<std::size_t>(n_threads);
  return (dim / kGateBlock + 2 + words) * max_tokens * sizeof(float);
}

FLASHLM_INLINE void GateSelector::select(std::size_t index, std::size_t n_neurons,
                                         const Firing& firing, std::span<const float> x,
                                         std::size_t n_tokens, Parallel& parallel,
                                         std::span<float> scratch, ActiveSets& sets) const {
  const Layer& layer = layers_[index];
  constexpr std::size_t kWord = ActiveSets::kWordNeurons;
  FLASHLM_ASSERT(scratch.size_bytes() >= scratch_bytes(dim_, n_tokens, parallel.n_threads()));
  float* sums = scratch.data();  // [n_tokens, n_blocks]: of |x| over a block, rounded up
  float* norms = sums + n_tokens * n_blocks();  // [n_tokens]: |x|, rounded up
  float* blocks = norms + n_tokens;
  for (std::size_t token = 0; token < n_tokens; ++token) {
    norms[token] = measure(x.subspan(token * dim_, dim_), sums + token * n_blocks());
  }
  parallel.for_threads(
      n_neurons, kWord, [&](std::size_t thread, std::size_t begin, std::size_t end) {
        float* values = blocks + 2 * thread * kWord * n_tokens;
        float* spreads = values + kWord * n_tokens;
        for (std::size_t at = begin; at < end; at += kWord) {
          const std::size_t n = std::min(kWord, end - at);
          compute::Backend::product(layer.gate.slice(at, n), x.data(), dim_, n_tokens, values,
                                    kWord);
          compute::Backend::product(layer.scales.slice(at, n), sums, n_blocks(), n_tokens, spreads,
                                    kWord);
          for (std::size_t token = 0; token < n_tokens; ++token) {
            ActiveSets::Word word = 0;
            for (std::size_t i = 0; i < n; ++i) {
              const float bias = firing.bias.empty() ? 0.0f : firing.bias[at + i];
              RowFacts facts;
              std::memcpy(&facts, layer.facts + (at + i) * sizeof facts, sizeof facts);
              const bool active =
                  can_fire(facts, values[token * kWord + i], spreads[token * kWord + i],
                           norms[token], bias, firing.threshold);
              word |= ActiveSets::Word{active} << i;
            }
            sets.word(token, at / kWord) = word;
          }
        }
      });
}

FLASHLM_INLINE std::size_t GateSelector::scale_bytes(
    std::size_t dim, std::span<const std::size_t> neurons) noexcept {
  return std::accumulate(neurons.begin(), neurons.end(), std::size_t{0}) * (dim / kGateBlock) *
         sizeof(std::uint16_t);
}

FLASHLM_INLINE std::size_t GateSelector::n_blocks() const noexcept { return dim_ / kGateBlock; }

FLASHLM_INLINE float GateSelector::rounded_up(double value) noexcept {
  return std::nextafter(static_cast<float>(value), std::numeric_limits<float>::infinity());
}

FLASHLM_INLINE float GateSelector::measure(std::span<const float> x, float* sums) noexcept {
  double squares = 0;
  for (std::size_t block = 0; block < x.size() / kGateBlock; ++block) {
    double sum = 0;
    for (const float value : x.subspan(block * kGateBlock, kGateBlock)) {
      const double number = std::abs(static_cast<double>(value));
      sum += number;
      squares += number * number;
    }
    sums[block] = rounded_up(sum * kSlack);
  }
  return rounded_up(std::sqrt(squares) * kSlack);
}

FLASHLM_INLINE bool GateSelector::can_fire(const RowFacts& facts, float value, float spread,
                                           float norm, float bias, float threshold) const noexcept {
  const double k = static_cast<double>(dim_), n = static_cast<double>(norm);
  const double g =
      2 * k *
      0x1p-24;  // twice what is needed while k < 2^22; covers the sum of scales, all positive
  const double by_block =
      static_cast<double>(facts.error_ratio) * static_cast<double>(spread) * (1 + g);
  const double by_norm = static_cast<double>(facts.error_norm) * n;
  const double error = std::min(std::isnan(by_block) ? by_norm : by_block, by_norm) +
                       g * static_cast<double>(facts.norms) * n + k * 0x1p-148;
  const double reach = static_cast<double>(value) + static_cast<double>(bias) +
                       (error + 0x1p-23 * (std::abs(static_cast<double>(value)) + error +
                                           std::abs(static_cast<double>(bias)))) *
                           kSlack;
  return !(reach < static_cast<double>(threshold)) ||
         !(static_cast<double>(facts.norms) * n < kNearOverflow);
}

}  // namespace flashlm::inline FLASHLM_ABI::units

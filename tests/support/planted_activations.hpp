// SPDX-License-Identifier: Apache-2.0
/// planted_activations.hpp: a layer whose neurons fire by a rule of low rank that is known.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/random.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"
#include "flashlm/training/activations.hpp"

namespace support {

/// h = relu(expand (reduce x) - 1), where x is random and `reduce` has `rank` rows.
struct PlantedActivations {
  std::size_t dim = 32, n_neurons = 150, rank = 4, n_tokens = 1500;

  std::vector<std::byte> x;
  std::vector<std::uint8_t> codes;
  std::vector<float> scales;

  explicit PlantedActivations(std::size_t tokens = 1500) : n_tokens(tokens) {
    flashlm::Random random(11);
    const auto draw = [&](std::size_t n) {
      std::vector<float> values(n);
      for (float& value : values) value = random.uniform(-1.0F, 1.0F);
      return values;
    };
    const std::vector<float> reduce = draw(rank * dim), expand = draw(n_neurons * rank);
    for (std::size_t token = 0; token < n_tokens; ++token) {
      const std::vector<float> input = draw(dim);
      x.resize((token + 1) * dim * 2);
      flashlm::kernels::from_f32(input, flashlm::DType::f16, &x[token * dim * 2]);
      std::vector<float> inner(rank), h(n_neurons);
      for (std::size_t i = 0; i < rank * dim; ++i) inner[i / dim] += reduce[i] * input[i % dim];
      for (std::size_t i = 0; i < n_neurons * rank; ++i) h[i / rank] += expand[i] * inner[i % rank];
      for (float& value : h) value = std::max(value - 1.0F, 0.0F);
      scales.push_back(*std::max_element(h.begin(), h.end()));
      for (const float value : h) {
        const float root = value > 0 ? 255 * std::sqrt(value / scales.back()) : 0;
        codes.push_back(
            static_cast<std::uint8_t>(value > 0 ? std::max(std::round(root), 1.0F) : 0));
      }
    }
  }

  /// Tokens [begin, end).
  flashlm::training::Activations part(std::size_t begin, std::size_t end) const {
    const std::size_t n = end - begin;
    return {.dim = dim,
            .n_neurons = n_neurons,
            .x = std::span(x).subspan(begin * dim * 2, n * dim * 2),
            .codes = std::span(codes).subspan(begin * n_neurons, n * n_neurons),
            .scales = std::span(scales).subspan(begin, n)};
  }

  flashlm::training::Activations all() const { return part(0, n_tokens); }
};

}  // namespace support

// SPDX-License-Identifier: Apache-2.0
/// activation_tap.hpp: shows what every neuron of a layer does, so that a predictor can learn it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <utility>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"

namespace flashlm::inline v0::sparse {

/// Gathers the activations of one feed-forward network at a time, and hands them to an observer.
///
/// Not thread-safe.
class ActivationTap {
 public:
  /// x [n_tokens, dim] is the input of the network of `layer`, h [n_tokens, hidden_dim] the activation of each neuron:
  /// the number its down column is multiplied by. Both are valid during the call, which may throw to stop.
  using Observer =
      std::function<void(std::size_t layer, std::size_t n_tokens, std::span<const float> x, std::span<const float> h)>;

  ActivationTap(std::size_t max_tokens, std::size_t hidden_dim, Observer observer)
      : hidden_dim_(hidden_dim), h_(max_tokens * hidden_dim * sizeof(float)), observer_(std::move(observer)) {}

  /// Takes h of neurons [first, first + n) for `n_tokens` tokens, which lie `stride` floats apart.
  void put(std::size_t first, std::size_t n, std::size_t n_tokens, const float* h, std::size_t stride) {
    FLASHLM_ASSERT(first + n <= hidden_dim_ && n_tokens * hidden_dim_ * sizeof(float) <= h_.size());
    const std::span<float> into = h_.as<float>();
    for (std::size_t token = 0; token < n_tokens; ++token) {
      std::copy_n(h + token * stride, n, into.data() + token * hidden_dim_ + first);
    }
  }

  /// Shows the layer, all of whose neurons were put. Throws FormatError if a number is not finite: nothing could be
  /// learned from it, and weights that are right do not make it.
  void finish(std::size_t layer, std::size_t n_tokens, std::span<const float> x) {
    const std::span<const float> h = std::as_const(h_).as<float>().first(n_tokens * hidden_dim_);
    require_finite(x, x.size() / n_tokens, layer, "input");
    require_finite(h, hidden_dim_, layer, "activation");
    observer_(layer, n_tokens, x, h);
  }

 private:
  static void require_finite(std::span<const float> values, std::size_t row, std::size_t layer, const char* what) {
    const auto found = std::find_if_not(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
    if (found == values.end()) return;
    const auto at = static_cast<std::size_t>(found - values.begin());
    throw FormatError(concat("[activation_tap] ", what, ": expected finite numbers, got ", *found, " (layer ", layer,
                             ", token ", at / row, ", number ", at % row, "). Are the weights damaged?"));
  }

  std::size_t hidden_dim_;
  AlignedBuffer h_;  // f32 [max_tokens, hidden_dim]
  Observer observer_;
};

}  // namespace flashlm::inline v0::sparse

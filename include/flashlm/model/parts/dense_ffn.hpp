// SPDX-License-Identifier: Apache-2.0
/// dense_ffn.hpp: the feed-forward networks of a dense model, each two or three products.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/model/graph/spec.hpp"
#include "flashlm/model/graph/weights.hpp"
#include "flashlm/model/parts/product.hpp"
#include "flashlm/units/ffn_parameters.hpp"
#include "flashlm/units/select/activation_tap.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Every neuron of every layer, from the matrices of a network, which pass by one behind the other:
///
///     h[t] = activation(gate x[t]) * (up x[t] + up_bias)      with a gate
///     h[t] = activation(up x[t] + up_bias)                    without
///     y[t] = down h[t]
///
/// The same bits as a sum over bundles of neurons gives (units::SparseFfn). Holds scratch only,
/// which the layers share; `run` allocates nothing. Not thread-safe.
class DenseFfn {
 public:
  /// `weights`, `parallel` and `product` must outlive this object; batches of up to `max_tokens`.
  DenseFfn(const ModelSpec& spec, const Weights& weights, Parallel& parallel, Product& product,
           std::size_t max_tokens);

  /// Bytes that an object of that shape holds.
  static std::size_t bytes(const ModelSpec& spec, std::size_t max_tokens);

  /// y = the feed-forward network of `layer`. Adds to hits and misses: its neurons, by the share of
  /// its bytes that is pinned.
  ///
  /// x, y [n_tokens, dim], row-major; y may not overlap x. Throws IoError; the stream has to be
  /// restarted then.
  void run(std::size_t layer, const units::FfnParameters& parameters, std::span<const float> x,
           std::size_t n_tokens, std::span<float> y, Stats& stats);

  /// Shows the activations of every layer to `observer` from now on; an empty one ends it. Throws
  /// std::bad_alloc.
  void observe(units::ActivationTap::Observer observer);

 private:
  static constexpr std::size_t kGrainNeurons = 256;  // fewer are done before other threads wake

  /// The most neurons of a layer.
  static std::size_t hidden(const ModelSpec& spec) noexcept;

  std::span<float> buffer(std::size_t index, std::size_t n) noexcept;

  /// h [n_tokens, n_neurons] = the activation of `gates`, times `ups` where these are not empty.
  void activate(const units::FfnParameters& parameters, std::size_t n_neurons, std::size_t n_tokens,
                std::span<float> gates, std::span<const float> ups);

  std::vector<const FfnWeights*> networks_;  // [n_layers]
  Parallel* parallel_;
  Product* product_;
  std::size_t max_tokens_;
  std::size_t hidden_;
  AlignedBuffer scratch_;                      // f32: h, ups [max_tokens, hidden]
  std::unique_ptr<units::ActivationTap> tap_;  // null unless somebody observes
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/parts/dense_ffn.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// windowed_ffn.hpp: exact sums over chosen neurons, which stay in DRAM by a policy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/units/ffn/chosen_ffn.hpp"
#include "flashlm/units/ffn/gathered_ffn.hpp"
#include "flashlm/units/neuron_cache.hpp"
#include "flashlm/units/neuron_id.hpp"
#include "flashlm/units/select/active_sets.hpp"
#include "flashlm/units/single_neurons.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// The rows of a ChosenFfn that gives, whatever is in DRAM, the bits of
///
///     y = sum over n active and h[n] != 0, ascending, of h[n] * down[n]
///
/// A neuron whose h is 0 adds nothing, as it would if it were multiplied: y begins at +0, and the
/// sign of a zero is lost at the end. (Weights that are not finite are the exception: 0 times
/// infinity is NaN where all neurons are multiplied.) Hence neurons that are not active differ from
/// those that do not fire in nothing but reading. Not thread-safe.
class WindowedRows {
 public:
  WindowedRows(const SingleNeurons& all, const ChosenFfnOptions& options, Parallel& parallel);

  /// Bytes that an object with no rows holds.
  static std::size_t bytes(const SingleNeurons& all) noexcept;
  /// Bytes that are known of a row.
  static std::size_t index_bytes() noexcept { return NeuronCache::index_bytes(0, 1); }

  const NeuronCache& cache() const noexcept { return cache_; }
  std::uint64_t evictions() const noexcept { return cache_.evictions(); }
  std::uint32_t window() const noexcept { return cache_.window(); }
  bool shrink(std::size_t n_rows);

  // A batch, a token, and its parts: chosen_ffn.hpp.
  void begin_batch(const FfnLayer& layer);
  void begin_token(const FfnLayer& layer, std::span<const NeuronId> ids) noexcept;
  bool next(const FfnLayer& layer, MissingNeurons& missing);
  void compute_present(const FfnLayer& layer, std::span<const float> x);
  void compute_arrived(const FfnLayer& layer, std::span<const float> x);
  void sum(const FfnLayer& layer, std::span<float> y);
  void keep(const FfnLayer& layer, const MissingNeurons& missing);
  void end_token(const FfnLayer& /*layer*/) noexcept {}

  /// Keeps what the last tokens of a batch used of neurons [first, first + n), which lie at `data`,
  /// as far as there are free rows.
  void warm(const FfnLayer& layer, const std::byte* data, std::size_t first, std::size_t n,
            const ActiveSets& sets, std::size_t n_tokens);
  void end_stream(const FfnLayer& /*layer*/) noexcept {}

 private:
  static constexpr std::size_t kWarmTokens = 4;  // the last ones of a batch, whose neurons stay

  NeuronCache cache_;
  GatheredFfn gathered_;
  std::span<const NeuronId> ids_;   // of the token
  std::span<const NeuronId> part_;  // of these
};

using WindowedFfn = ChosenFfn<WindowedRows>;

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/windowed_ffn.ipp"
#endif

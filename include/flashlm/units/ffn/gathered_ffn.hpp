// SPDX-License-Identifier: Apache-2.0
/// gathered_ffn.hpp: one token's feed-forward network over neurons whose rows lie anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/format/bundle_layout.hpp"
#include "flashlm/units/ffn/sparse_ffn.hpp"
#include "flashlm/units/neuron_id.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Computes h of neurons that are here, then of those that have arrived, and adds h * down of all
/// in ascending order.
///
/// h has the bits that SparseFfn gives it. Where the gate makes it zero, the up row is not looked
/// at; where it is zero, the down column is not. Allocates when constructed. Not thread-safe.
class GatheredFfn {
 public:
  /// For up to `most` neurons; `parallel` must outlive this object.
  GatheredFfn(Parallel& parallel, std::size_t most);

  static std::size_t bytes(std::size_t most) noexcept;

  /// Forgets all neurons.
  void clear() noexcept;

  /// The next neuron, in ascending order, with its bundle at `row`; that of a miss is read
  /// meanwhile.
  void add_hit(const std::byte* row) { add(hits_, row); }
  void add_miss(const std::byte* row) { add(misses_, row); }

  /// ids [n]: the numbers of all neurons that were added. x [dim].
  void compute_hits(const storage::BundleLayout& layout, const FfnParameters& ffn,
                    std::span<const NeuronId> ids, std::span<const float> x);
  void compute_misses(const storage::BundleLayout& layout, const FfnParameters& ffn,
                      std::span<const NeuronId> ids, std::span<const float> x);

  /// y += h * down over what fires; every h is computed. y [dim].
  void sum(const storage::BundleLayout& layout, std::span<float> y);

 private:
  static constexpr std::size_t kNeuronGrain = 8;

  /// Neurons that are computed together: their bundles, and their places among all.
  struct Part {
    std::vector<const std::byte*> rows;
    std::vector<std::uint32_t> places;
    void clear() noexcept;
  };

  void add(Part& part, const std::byte* row);

  void compute(const Part& part, const storage::BundleLayout& layout, const FfnParameters& ffn,
               std::span<const NeuronId> ids, std::span<const float> x);

  /// h of the neurons [begin, end) of a part.
  void compute(const Part& part, const storage::BundleLayout& layout, const FfnParameters& ffn,
               std::span<const NeuronId> ids, std::span<const float> x, std::size_t begin,
               std::size_t end);

  /// Of n neurons from `begin` on, with their gates, keeps those whose gate lets them fire: gates,
  /// rows and places move together. How many there are.
  std::size_t keep_firing(const Part& part, const FfnParameters& ffn, std::size_t begin,
                          std::span<float> gates);

  Parallel* parallel_;
  // All [most].
  Part hits_;
  Part misses_;
  std::vector<const std::byte*> all_;  // the bundles of all neurons, ascending
  std::vector<float> h_;               // of all neurons
  std::vector<const std::byte*> firing_rows_;
  std::vector<float> firing_;
  std::vector<float> scratch_;  // gates; without a gate, ups
  std::vector<float> ups_;
  std::vector<float> biases_;
  std::vector<const std::byte*> scratch_rows_;  // of what fires
  std::vector<std::uint32_t> scratch_places_;
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/gathered_ffn.ipp"
#endif

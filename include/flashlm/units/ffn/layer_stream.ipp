// SPDX-License-Identifier: Apache-2.0
/// layer_stream.ipp: the bodies of layer_stream.hpp.
#pragma once

#include "flashlm/units/ffn/layer_stream.hpp"

#include "flashlm/units/single_neurons.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE LayerStream::LayerStream(const storage::BundleFile& file, storage::Reader& reader,
                                        Parallel& parallel, const ActiveSets& sets,
                                        std::size_t max_tokens, std::size_t staging_bytes)
    : file_(&file),
      sets_(&sets),
      ffn_(parallel, max_tokens),
      staging_(LayerStream::staging_bytes(file, staging_bytes)),
      pending_(reader, kMostPieces),
      misses_(file.n_layers(), kUnknown) {
  ffn_.restrict_to(&sets);
}

FLASHLM_INLINE std::size_t LayerStream::bytes(const storage::BundleFile& file,
                                              std::size_t max_tokens, std::size_t staging_bytes) {
  return SparseFfn::bytes(max_tokens) + LayerStream::staging_bytes(file, staging_bytes);
}

FLASHLM_INLINE bool LayerStream::is_less_work(std::size_t layer,
                                              std::size_t n_tokens) const noexcept {
  const std::size_t n_neurons = file_->layout(layer).n_neurons;
  const std::size_t misses =
      misses_[layer] == kUnknown ? sets_->count(0, n_neurons) : misses_[layer];
  return 2 * misses * n_tokens >= n_neurons;
}

FLASHLM_INLINE void LayerStream::missed(std::size_t layer, std::size_t n) noexcept {
  misses_[layer] = misses_[layer] == kUnknown ? n : (7 * misses_[layer] + n) / 8;
}

FLASHLM_INLINE std::size_t LayerStream::staging_bytes(const storage::BundleFile& file,
                                                      std::size_t wanted) {
  return std::max(wanted, kLeastPieces * round_up(SingleNeurons(file).stride, kPageBytes));
}

}  // namespace flashlm::inline FLASHLM_ABI::units

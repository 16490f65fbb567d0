// SPDX-License-Identifier: Apache-2.0
/// selective_ffn.ipp: the bodies of selective_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/selective_ffn.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE SelectiveFfn::SelectiveFfn(const storage::BundleFile& file, storage::Reader& reader,
                                          Parallel& parallel, const Selector& selector,
                                          std::size_t selector_scratch_bytes,
                                          const ChosenFfnOptions& options) {
  if (std::holds_alternative<PaperEviction>(options.eviction)) {
    one_.emplace<PaperFfn>(file, reader, parallel, selector, selector_scratch_bytes, options);
  } else {
    one_.emplace<WindowedFfn>(file, reader, parallel, selector, selector_scratch_bytes, options);
  }
}

FLASHLM_INLINE std::size_t SelectiveFfn::bytes(const storage::BundleFile& file,
                                               const ChosenFfnOptions& options) {
  return std::holds_alternative<PaperEviction>(options.eviction)
             ? PaperFfn::bytes(file, options)
             : WindowedFfn::bytes(file, options);
}

FLASHLM_INLINE std::size_t SelectiveFfn::row_bytes(const storage::BundleFile& file,
                                                   const Eviction& eviction) {
  return std::holds_alternative<PaperEviction>(eviction) ? PaperFfn::row_bytes(file)
                                                         : WindowedFfn::row_bytes(file);
}

FLASHLM_INLINE void SelectiveFfn::run(std::size_t layer, const FfnParameters& ffn,
                                      std::span<const float> x, std::size_t n_tokens,
                                      std::span<float> y, Stats& stats) {
  if (auto* paper = std::get_if<PaperFfn>(&one_))
    return paper->run(layer, ffn, x, n_tokens, y, stats);
  std::get<WindowedFfn>(one_).run(layer, ffn, x, n_tokens, y, stats);
}

FLASHLM_INLINE bool SelectiveFfn::shrink(std::size_t n_rows) {
  if (auto* paper = std::get_if<PaperFfn>(&one_)) return paper->shrink(n_rows);
  return std::get<WindowedFfn>(one_).shrink(n_rows);
}

}  // namespace flashlm::inline FLASHLM_ABI::units

// SPDX-License-Identifier: Apache-2.0
/// selective_ffn.ipp: the bodies of selective_ffn.hpp.
#pragma once

#include "flashlm/units/ffn/selective_ffn.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE SelectiveFfn::SelectiveFfn(const storage::BundleFile& file, storage::Reader& reader,
                                          Parallel& parallel, const Selector& selector,
                                          std::size_t selector_scratch_bytes,
                                          const WindowedFfnOptions& options) {
  if (std::holds_alternative<PaperEviction>(options.eviction)) {
    one_.emplace<PaperFfn>(file, reader, parallel, selector, selector_scratch_bytes,
                           paper(options));
  } else {
    one_.emplace<WindowedFfn>(file, reader, parallel, selector, selector_scratch_bytes, options);
  }
}

FLASHLM_INLINE std::size_t SelectiveFfn::bytes(const storage::BundleFile& file,
                                               const WindowedFfnOptions& options) {
  return std::holds_alternative<PaperEviction>(options.eviction)
             ? PaperFfn::bytes(file, paper(options))
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
  if (auto* paper = std::get_if<PaperFfn>(&one_)) {
    paper->settle();
    return false;
  }
  std::get<WindowedFfn>(one_).shrink(n_rows);
  return true;
}

FLASHLM_INLINE PaperFfnOptions SelectiveFfn::paper(const WindowedFfnOptions& options) {
  return {.max_tokens = options.max_tokens,
          .n_rows = options.n_rows,
          .n_tokens = std::get<PaperEviction>(options.eviction).n_tokens,
          .staging_bytes = options.staging_bytes,
          .reads = options.reads};
}

}  // namespace flashlm::inline FLASHLM_ABI::units

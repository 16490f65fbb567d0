// SPDX-License-Identifier: Apache-2.0
/// selective_ffn.hpp: the feed-forward networks of a selector that chooses single neurons, by the
/// policy of their cache.
#pragma once

#include <cstddef>
#include <span>
#include <variant>

#include "flashlm/base/stats.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/units/eviction.hpp"
#include "flashlm/units/ffn/chosen_ffn.hpp"
#include "flashlm/units/ffn/paper_ffn.hpp"
#include "flashlm/units/ffn/windowed_ffn.hpp"
#include "flashlm/units/ffn_parameters.hpp"
#include "flashlm/units/select/selector.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// A WindowedFfn, or, for the policy paper, a PaperFfn. Not thread-safe.
class SelectiveFfn {
 public:
  /// `file`, `reader`, `parallel` and `selector` must outlive this object. All bundles hold one
  /// neuron.
  SelectiveFfn(const storage::BundleFile& file, storage::Reader& reader, Parallel& parallel,
               const Selector& selector, std::size_t selector_scratch_bytes,
               const ChosenFfnOptions& options);

  /// Bytes that an object with no rows holds, beside what the selector needs; and those of a row.
  static std::size_t bytes(const storage::BundleFile& file, const ChosenFfnOptions& options);
  static std::size_t row_bytes(const storage::BundleFile& file, const Eviction& eviction);

  /// As ChosenFfn::run.
  void run(std::size_t layer, const FfnParameters& ffn, std::span<const float> x,
           std::size_t n_tokens, std::span<float> y, Stats& stats);

  /// Keeps `n_rows` rows and gives the memory of the others back to the system. False where that
  /// needs a new object: a PaperFfn has shared its rows out among the layers. Throws what a hook of
  /// the reader throws, with nothing changed.
  bool shrink(std::size_t n_rows);

 private:
  std::variant<std::monostate, WindowedFfn, PaperFfn> one_;
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/selective_ffn.ipp"
#endif

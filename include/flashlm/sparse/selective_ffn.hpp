// SPDX-License-Identifier: Apache-2.0
/// selective_ffn.hpp: the feed-forward networks of a selector that chooses single neurons, by the policy of their
/// cache.
#pragma once

#include <cstddef>
#include <span>
#include <variant>

#include "flashlm/base/parallel.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/sparse/eviction.hpp"
#include "flashlm/sparse/paper_ffn.hpp"
#include "flashlm/sparse/selector.hpp"
#include "flashlm/sparse/sparse_ffn.hpp"
#include "flashlm/sparse/windowed_ffn.hpp"
#include "flashlm/storage/bundle_file.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::sparse {

/// A WindowedFfn, or, for the policy paper, a PaperFfn. Not thread-safe.
class SelectiveFfn {
 public:
  /// `file`, `reader`, `parallel` and `selector` must outlive this object. All bundles hold one neuron.
  SelectiveFfn(const storage::BundleFile& file, storage::Reader& reader, Parallel& parallel, const Selector& selector,
               std::size_t selector_scratch_bytes, const WindowedFfnOptions& options) {
    if (std::holds_alternative<PaperEviction>(options.eviction)) {
      one_.emplace<PaperFfn>(file, reader, parallel, selector, selector_scratch_bytes, paper(options));
    } else {
      one_.emplace<WindowedFfn>(file, reader, parallel, selector, selector_scratch_bytes, options);
    }
  }

  /// Bytes that an object with no rows holds, beside what the selector needs; and those of a row.
  static std::size_t bytes(const storage::BundleFile& file, const WindowedFfnOptions& options) {
    return std::holds_alternative<PaperEviction>(options.eviction) ? PaperFfn::bytes(file, paper(options))
                                                                   : WindowedFfn::bytes(file, options);
  }
  static std::size_t row_bytes(const storage::BundleFile& file, const Eviction& eviction) {
    return std::holds_alternative<PaperEviction>(eviction) ? PaperFfn::row_bytes(file) : WindowedFfn::row_bytes(file);
  }

  /// As WindowedFfn::run.
  void run(std::size_t layer, const FfnParameters& ffn, std::span<const float> x, std::size_t n_tokens,
           std::span<float> y, Stats& stats) {
    if (auto* paper = std::get_if<PaperFfn>(&one_)) return paper->run(layer, ffn, x, n_tokens, y, stats);
    std::get<WindowedFfn>(one_).run(layer, ffn, x, n_tokens, y, stats);
  }

  /// Keeps `n_rows` rows and gives the memory of the others back to the system. False where that needs a new object: a
  /// PaperFfn has shared its rows out among the layers. Throws what a hook of the reader throws, with nothing changed.
  bool shrink(std::size_t n_rows) {
    if (auto* paper = std::get_if<PaperFfn>(&one_)) {
      paper->settle();
      return false;
    }
    std::get<WindowedFfn>(one_).shrink(n_rows);
    return true;
  }

 private:
  static PaperFfnOptions paper(const WindowedFfnOptions& options) {
    return {.max_tokens = options.max_tokens,
            .n_rows = options.n_rows,
            .n_tokens = std::get<PaperEviction>(options.eviction).n_tokens,
            .staging_bytes = options.staging_bytes,
            .reads = options.reads};
  }

  std::variant<std::monostate, WindowedFfn, PaperFfn> one_;
};

}  // namespace flashlm::inline v0::sparse

// SPDX-License-Identifier: Apache-2.0
/// layer_stream.hpp: a batch's feed-forward network from a whole layer that passes through DRAM in
/// big pieces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/stream/pending_reads.hpp"
#include "flashlm/units/ffn/sparse_ffn.hpp"
#include "flashlm/units/select/active_sets.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Streams layers for batches whose tokens together need most of them; each token has its own set
/// all the same.
///
/// The pieces pass through `staging`, which serves joined reads of single neurons at other times.
/// Allocates when constructed. Not thread-safe.
class LayerStream {
 public:
  /// All must outlive this object.
  LayerStream(const storage::BundleFile& file, storage::Reader& reader, Parallel& parallel,
              const ActiveSets& sets, std::size_t max_tokens, std::size_t staging_bytes);

  static std::size_t bytes(const storage::BundleFile& file, std::size_t max_tokens,
                           std::size_t staging_bytes);

  std::span<std::byte> staging() noexcept { return staging_.bytes(); }

  /// Waits for pieces that a run left under way; throws what a hook of the reader throws.
  void settle() { pending_.settle(); }

  /// Whether reading a whole layer at once is less work than the neurons of each token; bytes in
  /// order count half.
  bool is_less_work(std::size_t layer, std::size_t n_tokens) const noexcept;

  /// So many neurons of a layer were read for a token.
  void missed(std::size_t layer, std::size_t n) noexcept;

  /// y += the feed-forward network of `layer`, some pieces under way while one is computed. Calls
  /// visit(data, first, n) for neurons [first, first + n), which lie at `data` a stride apart until
  /// it returns.
  ///
  /// x, y [n_tokens, dim]. Throws IoError or FormatError if a read fails, and what a hook of the
  /// reader throws; `settle` comes before the staging is used again then.
  template <class Visit>
  void run(std::size_t layer, const FfnParameters& ffn, std::span<const float> x,
           std::size_t n_tokens, std::span<float> y, Stats& stats, Visit&& visit) {
    const storage::BundleLayout& layout = file_->layout(layer);
    const std::size_t slots = std::clamp<std::size_t>(
        staging_.size() / round_up(layout.stride, kPageBytes), kLeastPieces, kMostPieces);
    const std::size_t slot_bytes = staging_.size() / slots / kPageBytes * kPageBytes;
    const std::size_t most = slot_bytes / layout.stride,
                      n_pieces = (layout.n_neurons + most - 1) / most;
    storage::Ticket tickets[kMostPieces];
    const auto submit = [&](std::size_t piece) {
      const std::size_t first = piece * most, n = std::min(most, layout.n_neurons - first);
      const storage::Place place = file_->locate(layer, first, n);
      std::byte* into = staging_.data() + piece % slots * slot_bytes;
      const storage::Read read{place.file, place.extent.offset, {into, n * layout.stride}};
      tickets[piece % slots] = pending_.submit({&read, 1});
    };
    for (std::size_t piece = 0; piece < std::min(slots, n_pieces); ++piece) submit(piece);
    for (std::size_t piece = 0; piece < n_pieces; ++piece) {
      const double start = now_seconds();
      pending_.wait(tickets[piece % slots]);
      stats.io_seconds += now_seconds() - start;
      const std::size_t first = piece * most, n = std::min(most, layout.n_neurons - first);
      const std::byte* data = staging_.data() + piece % slots * slot_bytes;
      ffn_.accumulate(layout, ffn, data, first, n, x, n_tokens, y);
      visit(data, first, n);
      if (piece + slots < n_pieces) submit(piece + slots);
    }
    for (std::size_t token = 0; token < n_tokens; ++token) {
      const std::size_t n = sets_->count(token, layout.n_neurons);
      stats.selected += n;
      stats.misses += n;
    }
  }

 private:
  static constexpr std::size_t kLeastPieces = 2;  // one is computed while the other is read
  static constexpr std::size_t kMostPieces = 4;
  static constexpr std::size_t kUnknown = ~std::size_t{0};

  static std::size_t staging_bytes(const storage::BundleFile& file, std::size_t wanted);

  const storage::BundleFile* file_;
  const ActiveSets* sets_;
  SparseFfn ffn_;
  AlignedBuffer staging_;
  stream::PendingReads pending_;     // into staging_
  std::vector<std::size_t> misses_;  // [n_layers]: of a token, lately
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/ffn/layer_stream.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// neuron_reads.hpp: the reads that bring some neurons of a layer, the way flash likes them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/sparse/neuron_set.hpp"
#include "flashlm/sparse/pending_reads.hpp"
#include "flashlm/storage/bundle_file.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::sparse {

/// How neurons are read.
struct NeuronReadOptions {
  /// Neurons that nobody wants are read along where that many bytes or fewer lie between two that are wanted. 0 joins
  /// neighbours only; docs/architecture.md derives the default.
  std::size_t merge_bytes = std::size_t{4} << 10;
  std::size_t longest_bytes = std::size_t{256} << 10;  // of a joined read
  bool bundled = true;  // false: a read a matrix, as if up and down lay apart (arXiv:2312.11514, table 2, row 4)
};

/// Joins neurons that lie close to each other into one read; a neuron alone is read into its row at once.
///
/// What is joined passes through `staging` and is copied, since rows lie anywhere. Allocates when constructed.
/// `file`, `reader`, rows and staging must outlive this object. Not thread-safe.
class NeuronReads {
 public:
  /// For up to `most` neurons at a time.
  NeuronReads(const storage::BundleFile& file, storage::Reader& reader, std::size_t most, NeuronReadOptions options)
      : file_(&file), options_(options), pending_(reader, 1) {
    reads_.reserve(most * (options.bundled ? 1 : 3));
    copies_.reserve(most);
  }

  static std::size_t bytes(std::size_t most) noexcept { return most * (3 * sizeof(storage::Read) + sizeof(Copy)); }

  /// Starts the reads of neurons `ids` of `layer`, ascending, all at once; neuron ids[i] goes to rows[i], which holds a
  /// stride of bytes. `staging` must stay alive until `finish`. Bundles of the layer hold one neuron.
  void start(std::size_t layer, std::span<const NeuronId> ids, std::span<std::byte* const> rows,
             std::span<std::byte> staging) {
    const storage::BundleLayout& layout = file_->layout(layer);
    FLASHLM_ASSERT(layout.neurons_per_bundle == 1 && ids.size() == rows.size());
    reads_.clear();
    copies_.clear();
    gap_bytes_ = 0;
    std::size_t staged = 0;
    for (std::size_t at = 0; at < ids.size();) {
      const std::size_t end = options_.bundled ? run_end(layout.stride, ids, at, staging.size() - staged) : at + 1;
      const std::size_t n = ids[end - 1] - ids[at] + 1, n_bytes = n * layout.stride;
      const storage::Place place = file_->locate(layer, ids[at], n);
      if (end == at + 1) {
        single(layout, place, rows[at]);
      } else {
        std::byte* into = staging.data() + staged;
        reads_.push_back({place.file, place.extent.offset, {into, n_bytes}});
        for (std::size_t i = at; i < end; ++i) copies_.push_back({into + (ids[i] - ids[at]) * layout.stride, rows[i]});
        gap_bytes_ += (n - (end - at)) * layout.stride;
        staged += n_bytes;
      }
      at = end;
    }
    stride_ = layout.stride;
    ticket_ = pending_.submit(reads_);
  }

  /// Returns when the neurons are in their rows. Throws as Reader::wait does; rows hold anything then.
  void finish() {
    pending_.wait(ticket_);
    for (const Copy& copy : copies_) std::memcpy(copy.to, copy.from, stride_);
  }

  /// Waits for reads that `finish` was not called for or did not wait for; throws what a hook of the reader throws.
  void settle() { pending_.settle(); }

  /// Bytes between neurons that the last `start` read along.
  std::size_t gap_bytes() const noexcept { return gap_bytes_; }

 private:
  struct Copy {
    const std::byte* from;
    std::byte* to;
  };

  /// The end of the neurons that one read brings, from `at` on, in `room` bytes unless it is one alone.
  std::size_t run_end(std::size_t stride, std::span<const NeuronId> ids, std::size_t at,
                      std::size_t room) const noexcept {
    room = std::min(room, options_.longest_bytes);
    std::size_t end = at + 1;
    while (end < ids.size() && (ids[end] - ids[end - 1] - 1) * stride <= options_.merge_bytes &&
           (ids[end] - ids[at] + 1) * stride <= room) {
      ++end;
    }
    return end;
  }

  void single(const storage::BundleLayout& layout, const storage::Place& place, std::byte* row) {
    if (options_.bundled) {
      reads_.push_back({place.file, place.extent.offset, {row, layout.stride}});
      return;
    }
    const std::size_t n_bytes = layout.matrix_bytes();
    for (std::size_t at = 0; at < layout.payload_bytes(); at += n_bytes) {
      reads_.push_back({place.file, place.extent.offset + at, {row + at, n_bytes}});
    }
  }

  const storage::BundleFile* file_;
  NeuronReadOptions options_;
  std::vector<storage::Read> reads_;
  std::vector<Copy> copies_;  // from staging to rows
  std::size_t stride_ = 0;
  std::size_t gap_bytes_ = 0;
  storage::Ticket ticket_ = 0;
  PendingReads pending_;
};

}  // namespace flashlm::inline v0::sparse

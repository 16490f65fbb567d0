// SPDX-License-Identifier: Apache-2.0
/// neuron_reads.hpp: the reads that bring some neurons of a layer, the way flash likes them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/stream/pending_reads.hpp"
#include "flashlm/units/neuron_id.hpp"
#include "flashlm/units/neuron_read_options.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Joins neurons that lie close to each other into one read; a neuron alone is read into its row at
/// once.
///
/// What is joined passes through `staging` and is copied, since rows lie anywhere. Allocates when
/// constructed. `file`, `reader`, rows and staging must outlive this object. Not thread-safe.
class NeuronReads {
 public:
  /// For up to `most` neurons at a time.
  NeuronReads(const storage::BundleFile& file, storage::Reader& reader, std::size_t most,
              NeuronReadOptions options);

  static std::size_t bytes(std::size_t most) noexcept {
    return most * (3 * sizeof(storage::Read) + sizeof(Copy));
  }

  /// Starts the reads of neurons `ids` of `layer`, ascending, all at once; neuron ids[i] goes to
  /// rows[i], which holds a stride of bytes. `staging` must stay alive until `finish`. Bundles of
  /// the layer hold one neuron.
  void start(std::size_t layer, std::span<const NeuronId> ids, std::span<std::byte* const> rows,
             std::span<std::byte> staging);

  /// Returns when the neurons are in their rows. Throws as Reader::wait does; rows hold anything
  /// then.
  void finish();

  /// Waits for reads that `finish` was not called for or did not wait for; throws what a hook of
  /// the reader throws.
  void settle() { pending_.settle(); }

  /// Bytes between neurons that the last `start` read along.
  std::size_t gap_bytes() const noexcept { return gap_bytes_; }

 private:
  struct Copy {
    const std::byte* from;
    std::byte* to;
  };

  /// The end of the neurons that one read brings, from `at` on, in `room` bytes unless it is one
  /// alone.
  std::size_t run_end(std::size_t stride, std::span<const NeuronId> ids, std::size_t at,
                      std::size_t room) const noexcept;

  void single(const storage::BundleLayout& layout, const storage::Place& place, std::byte* row);

  const storage::BundleFile* file_;
  NeuronReadOptions options_;
  std::vector<storage::Read> reads_;
  std::vector<Copy> copies_;  // from staging to rows
  std::size_t stride_ = 0;
  std::size_t gap_bytes_ = 0;
  storage::Ticket ticket_ = 0;
  stream::PendingReads pending_;
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/neuron_reads.ipp"
#endif

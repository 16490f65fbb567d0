// SPDX-License-Identifier: Apache-2.0
/// pending_reads.hpp: batches of reads that know whether they are still under way.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {

/// Submits batches and waits for them. Where an exception comes between the two, or a hook of the
/// reader ends a wait, a batch stays under way, with buffers that must not be used: `settle` waits
/// for what is left of such.
///
/// So a step that is stopped because a device stalls ends at once, and the next one waits.
/// Allocates when constructed. `reader` must outlive this object. Not thread-safe.
class PendingReads {
 public:
  /// For at most `most` batches at a time.
  PendingReads(storage::Reader& reader, std::size_t most) : reader_(&reader) { reserve(most); }

  PendingReads(const PendingReads&) = delete;
  PendingReads& operator=(const PendingReads&) = delete;
  /// Waits as long as it takes: the buffers are going away.
  ~PendingReads();

  /// Makes room for `most` batches at a time.
  void reserve(std::size_t most) { open_.reserve(most); }

  storage::Ticket submit(std::span<const storage::Read> reads);

  /// Throws as Reader::wait does.
  void wait(storage::Ticket ticket);

  /// Waits for all batches, whose results nobody wants; throws what a hook throws, to be called
  /// again.
  void settle();

  bool empty() const noexcept { return open_.empty(); }

 private:
  void forget(storage::Ticket ticket) noexcept;

  storage::Reader* reader_;
  std::vector<storage::Ticket> open_;
};

}  // namespace flashlm::inline FLASHLM_ABI::stream

#if !defined(FLASHLM_COMPILED)
#include "flashlm/stream/pending_reads.ipp"
#endif

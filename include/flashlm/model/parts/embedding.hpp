// SPDX-License-Identifier: Apache-2.0
/// embedding.hpp: the rows of the embedding that a batch of tokens needs, from DRAM or from flash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/model/graph/weights.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/stream/pending_reads.hpp"
#include "flashlm/stream/weight_stream.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Looks up rows by id. Rows that are not pinned are read, many at once. Holds scratch only. Not
/// thread-safe.
class Embedding {
 public:
  /// `stream` and `reader` must outlive this object; `file_bytes` is the size of the embedding's
  /// file.
  Embedding(const Matrix& matrix, const stream::WeightStream& stream, storage::Reader& reader,
            std::uint64_t file_bytes);

  /// Bytes that an object for that matrix holds.
  static std::size_t bytes(const Matrix& matrix) noexcept { return kRows * slot_bytes(matrix); }

  /// x[t] = the row of tokens[t]; x [n_tokens, cols]. Throws IoError.
  void run(std::span<const Token> tokens, std::span<float> x);

  /// Bytes that were read for alignment only, since construction.
  std::uint64_t gap_bytes() const noexcept { return gap_bytes_; }
  /// Seconds that `run` waited for flash, since construction.
  double waited_seconds() const noexcept { return waited_seconds_; }

 private:
  static constexpr std::size_t kRows = 32;  // in flight

  static std::size_t slot_bytes(const Matrix& matrix) noexcept;

  void some(std::span<const Token> tokens, std::span<float> x);

  Matrix matrix_;
  const stream::WeightStream* stream_;
  std::uint64_t file_bytes_;
  std::size_t unit_;
  AlignedBuffer scratch_;         // [kRows, slot_bytes]
  stream::PendingReads pending_;  // into scratch_
  std::uint64_t gap_bytes_ = 0;
  double waited_seconds_ = 0;
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/parts/embedding.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// embedding.ipp: the bodies of embedding.hpp.
#pragma once

#include "flashlm/model/parts/embedding.hpp"

#include <algorithm>
#include <array>

#include "flashlm/base/stage_clock.hpp"
#include "flashlm/compute/backend.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE Embedding::Embedding(const Matrix& matrix, const stream::WeightStream& stream,
                                    storage::Reader& reader, std::uint64_t file_bytes)
    : matrix_(matrix),
      stream_(&stream),
      file_bytes_(file_bytes),
      unit_(std::min(reader.alignment(), kPageBytes)),
      scratch_(bytes(matrix)),
      pending_(reader, 1) {}

FLASHLM_INLINE void Embedding::run(std::span<const Token> tokens, std::span<float> x) {
  for (std::size_t first = 0; first < tokens.size(); first += kRows) {
    const std::size_t n = std::min(kRows, tokens.size() - first);
    some(tokens.subspan(first, n), x.subspan(first * matrix_.cols, n * matrix_.cols));
  }
}

FLASHLM_INLINE std::size_t Embedding::slot_bytes(const Matrix& matrix) noexcept {
  return round_up(matrix.unit_bytes(), kPageBytes) + kPageBytes;
}

FLASHLM_INLINE void Embedding::some(std::span<const Token> tokens, std::span<float> x) {
  pending_.settle();
  std::array<const std::byte*, kRows> rows;
  std::array<storage::Read, kRows> reads;
  std::size_t n_reads = 0;
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    const auto row = static_cast<std::size_t>(tokens[at]);
    rows[at] = stream_->find(matrix_.segment, row);
    if (rows[at] != nullptr) continue;
    const stream::Segment& segment = stream_->layout().segments()[matrix_.segment];
    const storage::Extent wanted{segment.offset + row * matrix_.unit_bytes(), matrix_.unit_bytes()};
    const storage::Extent wide = wanted.aligned(unit_);
    const std::uint64_t count = std::min(wide.end(), file_bytes_) - wide.offset;
    std::byte* const into = scratch_.data() + n_reads * slot_bytes(matrix_);
    reads[n_reads++] = {segment.file, wide.offset, {into, static_cast<std::size_t>(count)}};
    rows[at] = into + (wanted.offset - wide.offset);
    gap_bytes_ += count - wanted.bytes;
  }
  if (n_reads > 0) {
    const StageClock clock(waited_seconds_);
    pending_.wait(pending_.submit(std::span(reads).first(n_reads)));
  }
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    compute::Backend::widen(matrix_.dtype, rows[at], x.subspan(at * matrix_.cols, matrix_.cols));
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::model

// SPDX-License-Identifier: Apache-2.0
/// embedding.hpp: the rows of the embedding that a batch of tokens needs, from DRAM or from flash.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "flashlm/base/aligned_buffer.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/kernels/convert.hpp"
#include "flashlm/model/weights.hpp"
#include "flashlm/sparse/weight_stream.hpp"
#include "flashlm/storage/reader.hpp"

namespace flashlm::inline v0::model {

/// Looks up rows by id. Rows that are not pinned are read, many at once. Holds scratch only. Not thread-safe.
class Embedding {
 public:
  /// `stream` and `reader` must outlive this object; `file_bytes` is the size of the embedding's file.
  Embedding(const Matrix& matrix, const sparse::WeightStream& stream, storage::Reader& reader, std::uint64_t file_bytes)
      : matrix_(matrix),
        stream_(&stream),
        reader_(&reader),
        file_bytes_(file_bytes),
        unit_(std::min(reader.alignment(), kPageBytes)),
        scratch_(bytes(matrix)) {}

  Embedding(const Embedding&) = delete;
  Embedding& operator=(const Embedding&) = delete;
  ~Embedding() {
    if (ticket_) reader_->drain();
  }

  /// Bytes that an object for that matrix holds.
  static std::size_t bytes(const Matrix& matrix) noexcept { return kRows * slot_bytes(matrix); }

  /// x[t] = the row of tokens[t]; x [n_tokens, cols]. Throws IoError.
  void run(std::span<const Token> tokens, std::span<float> x) {
    for (std::size_t first = 0; first < tokens.size(); first += kRows) {
      const std::size_t n = std::min(kRows, tokens.size() - first);
      some(tokens.subspan(first, n), x.subspan(first * matrix_.cols, n * matrix_.cols));
    }
  }

  /// Bytes that were read for alignment only, since construction.
  std::uint64_t gap_bytes() const noexcept { return gap_bytes_; }
  /// Seconds that `run` waited for flash, since construction.
  double waited_seconds() const noexcept { return waited_seconds_; }

 private:
  static constexpr std::size_t kRows = 32;  // in flight

  static std::size_t slot_bytes(const Matrix& matrix) noexcept {
    return round_up(matrix.unit_bytes(), kPageBytes) + kPageBytes;
  }

  void wait() {
    const double start = now_seconds();
    try {
      reader_->wait(*ticket_);
    } catch (const Error&) {
      ticket_.reset();
      throw;
    }
    ticket_.reset();
    waited_seconds_ += now_seconds() - start;
  }

  /// Waits for reads that were interrupted: their buffers are needed.
  void settle() {
    try {
      if (ticket_) wait();
    } catch (const Error&) {
      // Nobody wants these bytes.
    }
  }

  void some(std::span<const Token> tokens, std::span<float> x) {
    settle();
    std::array<const std::byte*, kRows> rows;
    std::array<storage::Read, kRows> reads;
    std::size_t n_reads = 0;
    for (std::size_t at = 0; at < tokens.size(); ++at) {
      const auto row = static_cast<std::size_t>(tokens[at]);
      rows[at] = stream_->find(matrix_.segment, row);
      if (rows[at] != nullptr) continue;
      const sparse::Segment& segment = stream_->layout().segments()[matrix_.segment];
      const storage::Extent wanted{segment.offset + row * matrix_.unit_bytes(), matrix_.unit_bytes()};
      const storage::Extent wide = wanted.aligned(unit_);
      const std::uint64_t count = std::min(wide.end(), file_bytes_) - wide.offset;
      std::byte* const into = scratch_.data() + n_reads * slot_bytes(matrix_);
      reads[n_reads++] = {segment.file, wide.offset, {into, static_cast<std::size_t>(count)}};
      rows[at] = into + (wanted.offset - wide.offset);
      gap_bytes_ += count - wanted.bytes;
    }
    if (n_reads > 0) {
      ticket_ = reader_->submit(std::span(reads).first(n_reads));
      wait();
    }
    for (std::size_t at = 0; at < tokens.size(); ++at) {
      kernels::to_f32(matrix_.dtype, rows[at], x.subspan(at * matrix_.cols, matrix_.cols));
    }
  }

  Matrix matrix_;
  const sparse::WeightStream* stream_;
  storage::Reader* reader_;
  std::uint64_t file_bytes_;
  std::size_t unit_;
  AlignedBuffer scratch_;  // [kRows, slot_bytes]
  std::uint64_t gap_bytes_ = 0;
  double waited_seconds_ = 0;
  std::optional<storage::Ticket> ticket_;  // not waited for
};

}  // namespace flashlm::inline v0::model

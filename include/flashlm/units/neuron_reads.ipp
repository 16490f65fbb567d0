// SPDX-License-Identifier: Apache-2.0
/// neuron_reads.ipp: the bodies of neuron_reads.hpp.
#pragma once

#include "flashlm/units/neuron_reads.hpp"

#include <algorithm>
#include <cstring>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_INLINE NeuronReads::NeuronReads(const storage::BundleFile& file, storage::Reader& reader,
                                        std::size_t most, NeuronReadOptions options)
    : file_(&file), options_(options), pending_(reader, 1) {
  reads_.reserve(most * (options.bundled ? 1 : 3));
  copies_.reserve(most);
}

FLASHLM_INLINE void NeuronReads::start(std::size_t layer, std::span<const NeuronId> ids,
                                       std::span<std::byte* const> rows,
                                       std::span<std::byte> staging) {
  const storage::BundleLayout& layout = file_->layout(layer);
  FLASHLM_ASSERT(layout.neurons_per_bundle == 1 && ids.size() == rows.size());
  reads_.clear();
  copies_.clear();
  gap_bytes_ = 0;
  std::size_t staged = 0;
  for (std::size_t at = 0; at < ids.size();) {
    const std::size_t end =
        options_.bundled ? run_end(layout.stride, ids, at, staging.size() - staged) : at + 1;
    const std::size_t n = ids[end - 1] - ids[at] + 1, n_bytes = n * layout.stride;
    const storage::Place place = file_->locate(layer, ids[at], n);
    if (end == at + 1) {
      single(layout, place, rows[at]);
    } else {
      std::byte* into = staging.data() + staged;
      reads_.push_back({place.file, place.extent.offset, {into, n_bytes}});
      for (std::size_t i = at; i < end; ++i)
        copies_.push_back({into + (ids[i] - ids[at]) * layout.stride, rows[i]});
      gap_bytes_ += (n - (end - at)) * layout.stride;
      staged += n_bytes;
    }
    at = end;
  }
  stride_ = layout.stride;
  ticket_ = pending_.submit(reads_);
}

FLASHLM_INLINE void NeuronReads::finish() {
  pending_.wait(ticket_);
  for (const Copy& copy : copies_) std::memcpy(copy.to, copy.from, stride_);
}

FLASHLM_INLINE std::size_t NeuronReads::run_end(std::size_t stride, std::span<const NeuronId> ids,
                                                std::size_t at, std::size_t room) const noexcept {
  room = std::min(room, options_.longest_bytes);
  std::size_t end = at + 1;
  while (end < ids.size() && (ids[end] - ids[end - 1] - 1) * stride <= options_.merge_bytes &&
         (ids[end] - ids[at] + 1) * stride <= room) {
    ++end;
  }
  return end;
}

FLASHLM_INLINE void NeuronReads::single(const storage::BundleLayout& layout,
                                        const storage::Place& place, std::byte* row) {
  if (options_.bundled) {
    reads_.push_back({place.file, place.extent.offset, {row, layout.stride}});
    return;
  }
  const std::size_t n_bytes = layout.matrix_bytes();
  for (std::size_t at = 0; at < layout.payload_bytes(); at += n_bytes) {
    reads_.push_back({place.file, place.extent.offset + at, {row + at, n_bytes}});
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::units

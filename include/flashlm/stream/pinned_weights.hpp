// SPDX-License-Identifier: Apache-2.0
/// pinned_weights.hpp: the pieces of a pass that stay in DRAM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/compute/cpu/reserved_memory.hpp"
#include "flashlm/storage/readers/reader.hpp"
#include "flashlm/stream/pass_layout.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::stream {

/// `place` and as much around it as makes whole units of a device, which moves them without a copy.
storage::Place whole_units(const storage::Place& place, std::size_t unit,
                           std::uint64_t file_bytes) noexcept;

/// Memory for some pieces of a layout, each where the arena has it. Memory is only ever given back.
/// Not thread-safe.
class PinnedWeights {
 public:
  /// `pieces` [n_pieces] are those that stay. `layout` must outlive this object. Throws BudgetError
  /// where the system has no addresses for all of them.
  PinnedWeights(const PassLayout& layout, std::vector<bool> pieces, Parallel& parallel);

  PinnedWeights(PassLayout&& layout, std::vector<bool> pieces, Parallel& parallel) = delete;

  bool has(std::size_t piece) const { return pieces_[piece]; }
  const std::vector<bool>& pieces() const noexcept { return pieces_; }

  /// The address of a part of a piece that stays.
  const std::byte* data(const PassLayout::Part& part) const noexcept;

  /// Reads everything; `file_bytes` are the sizes of the reader's files. on_progress(done, total)
  /// counts bytes and may throw to stop. Throws IoError or FormatError.
  void load(storage::Reader& reader, std::span<const std::uint64_t> file_bytes,
            const std::function<void(std::size_t, std::size_t)>& on_progress = {});

  /// Keeps `pieces` only, a part of what is here.
  void shrink(std::vector<bool> pieces);

 private:
  static constexpr std::size_t kLoadReadBytes = std::size_t{1} << 20;
  static constexpr std::size_t kLoadReads = 16;  // in flight

  const PassLayout* layout_;
  std::vector<bool> pieces_;
  ReservedMemory arena_;
};

}  // namespace flashlm::inline FLASHLM_ABI::stream

#if !defined(FLASHLM_COMPILED)
#include "flashlm/stream/pinned_weights.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// gate_writer.hpp: makes gates.safetensors of a packed model, for the gate selector.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <vector>

#include "flashlm/storage/format/bundle_file.hpp"
#include "flashlm/units/select/gate_selector.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

namespace detail {

/// The copies of one layer's gate rows (without a gate: up rows), and what is known of them.
struct GateCopies {
  std::vector<std::byte> rows;                // q8_0 [n_neurons, dim]
  std::vector<GateSelector::RowFacts> facts;  // [n_neurons]
};

GateCopies copy_gates(const storage::BundleFile& file, std::size_t layer);

}  // namespace detail

/// Writes gates.safetensors into a packed folder, whole or not at all; nothing else there changes.
///
/// Holds one layer in DRAM. on_progress(done, total) counts layers and may throw to stop. Throws
/// IoError, FormatError, or ArgumentError if `dim` is no multiple of 32.
void write_gates(const std::filesystem::path& folder,
                 const std::function<void(std::size_t, std::size_t)>& on_progress = {});

/// The same file with holes for its data, for a hollow folder: what such gates would take can then
/// be planned.
void write_hollow_gates(const std::filesystem::path& folder);

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/select/gate_writer.ipp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// cpu.hpp: which instruction set the kernels use.
#pragma once

#include <string_view>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// The instruction sets that kernels are written for. neon is that of 64-bit Arm, the others but
/// scalar are x86-64's.
enum class Isa { scalar, neon, avx2, avx512 };

/// "scalar", "neon", "avx2", "avx512".
constexpr std::string_view name(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::neon: return "neon";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
  }
  return "?";
}

/// Whether this processor and its system can run `isa`.
bool supports(Isa isa) noexcept;

/// The instruction set that the environment variable FLASHLM_ISA names (scalar, neon, avx2,
/// avx512); without it the one with the widest vectors that the processor has.
///
/// Throws ArgumentError if FLASHLM_ISA names an unknown or unsupported one.
Isa choose_isa();

}  // namespace flashlm::inline FLASHLM_ABI

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/isa/cpu.ipp"
#endif

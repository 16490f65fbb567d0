// SPDX-License-Identifier: Apache-2.0
/// cpu.ipp: the bodies of cpu.hpp.
#pragma once

#include "flashlm/compute/cpu/isa/cpu.hpp"

#include <cstdlib>
#include <string>

#include "flashlm/base/error.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace flashlm::inline FLASHLM_ABI {

namespace detail {

#if defined(__x86_64__)
/// Whether the processor converts halves. (clang 14 can not ask this by name.)
inline bool supports_f16c() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

#endif

}  // namespace detail

FLASHLM_INLINE bool supports(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return true;
    case Isa::neon:
#if defined(__aarch64__)
      return true;
#else
      return false;
#endif
    case Isa::avx2:
#if defined(__x86_64__)
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             detail::supports_f16c();
#else
      return false;
#endif
    case Isa::avx512:
#if defined(__x86_64__)
      return supports(Isa::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl");
#else
      return false;
#endif
  }
  return false;
}

FLASHLM_INLINE Isa choose_isa() {
  constexpr Isa known[] = {Isa::avx512, Isa::avx2, Isa::neon, Isa::scalar};
  if (const char* forced = std::getenv("FLASHLM_ISA"); forced != nullptr && *forced != '\0') {
    for (Isa isa : known) {
      if (name(isa) != forced) continue;
      if (supports(isa)) return isa;
      std::string here;
      for (Isa one : known) {
        if (supports(one)) here += concat(here.empty() ? "" : ", ", name(one));
      }
      throw ArgumentError(
          concat("[cpu] FLASHLM_ISA: expected what this processor has, ", here, "; got ", forced));
    }
    throw ArgumentError(
        concat("[cpu] FLASHLM_ISA: expected scalar, neon, avx2 or avx512, got '", forced, "'"));
  }
  for (Isa isa : known) {
    if (supports(isa)) return isa;
  }
  return Isa::scalar;
}

}  // namespace flashlm::inline FLASHLM_ABI

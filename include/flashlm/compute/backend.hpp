// SPDX-License-Identifier: Apache-2.0
/// backend.hpp: what an engine computes with.
///
/// A backend is a plain class, chosen when flashlm's bodies are compiled: no call is virtual. A
/// file that defines FLASHLM_REFERENCE has all of flashlm with the reference, in a namespace of its
/// own (version.hpp), so that one program can compare the two.
#pragma once

#include "flashlm/version.hpp"

#if defined(FLASHLM_REFERENCE)
#include "flashlm/compute/reference/reference.hpp"
#else
#include "flashlm/compute/cpu/cpu_backend.hpp"
#endif

namespace flashlm::inline FLASHLM_ABI::compute {

#if defined(FLASHLM_REFERENCE)
using Backend = Reference;
#else
using Backend = Cpu;
#endif

}  // namespace flashlm::inline FLASHLM_ABI::compute

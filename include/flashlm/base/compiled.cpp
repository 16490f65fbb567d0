// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of base/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/base/dtype.ipp"
#include "flashlm/base/error.ipp"
#include "flashlm/base/matrix_view.ipp"
#include "flashlm/base/memory/aligned_buffer.ipp"
#include "flashlm/base/memory/memory_sensor.ipp"
#include "flashlm/base/process.ipp"
#include "flashlm/base/random.ipp"
#include "flashlm/base/stats.ipp"
#include "flashlm/base/tiles.ipp"
#include "flashlm/base/turns.ipp"
#include "flashlm/base/units.ipp"

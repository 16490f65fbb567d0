// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the kernels, once for a program whose files all define FLASHLM_COMPILED_KERNELS (dispatch.hpp).
#include "flashlm/kernels/dispatch.hpp"

#if !defined(FLASHLM_COMPILED_KERNELS)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED_KERNELS in every file."
#endif

#define FLASHLM_KERNELS_INLINE
#include "flashlm/kernels/tables.inc"

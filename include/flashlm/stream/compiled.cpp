// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of stream/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/stream/pass_layout.ipp"
#include "flashlm/stream/pending_reads.ipp"
#include "flashlm/stream/pinned_weights.ipp"
#include "flashlm/stream/segment.ipp"
#include "flashlm/stream/weight_stream.ipp"

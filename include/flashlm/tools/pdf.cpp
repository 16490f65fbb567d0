// SPDX-License-Identifier: Apache-2.0
/// pdf.cpp: the bodies of flashlm::pdf, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "pdf.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/tools/pdf/pdf.ipp"
#include "flashlm/tools/pdf/poppler_reader.ipp"

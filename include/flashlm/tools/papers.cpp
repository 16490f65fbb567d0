// SPDX-License-Identifier: Apache-2.0
/// papers.cpp: the bodies of flashlm::papers, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "papers.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/tools/papers/papers.ipp"

// SPDX-License-Identifier: Apache-2.0
/// version.hpp: the one place where the version is written (CMake and pyproject.toml read it here), and the two ways to
/// build flashlm.
///
/// Header-only, every `x.hpp` includes the bodies in `x.ipp`. Compiled once, all files of a program define
/// FLASHLM_COMPILED and link the bodies (CMake: flashlm::flashlm does both). The namespaces of the two differ, and so do
/// those of headers with OpenMP and without: what files of two kinds pass to each other does not link.
///
/// FLASHLM_INLINE stands before every body of an `x.ipp`, and before the declaration of a virtual
/// one in `x.hpp`: without it there, compilers make the class in every file that includes it.
#pragma once

#define FLASHLM_VERSION "0.1.0"

#if defined(FLASHLM_COMPILED)
#define FLASHLM_ABI v0_compiled
#define FLASHLM_INLINE
#else
#if defined(_OPENMP)
#define FLASHLM_ABI v0_openmp
#else
#define FLASHLM_ABI v0
#endif
#define FLASHLM_INLINE inline
#endif

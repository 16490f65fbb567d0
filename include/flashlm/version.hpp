// SPDX-License-Identifier: Apache-2.0
/// version.hpp: the one place where the version is written (CMake and pyproject.toml read it here),
/// and the two ways to build flashlm.
///
/// Header-only, every `x.hpp` includes the bodies in `x.ipp`. Compiled once, all files of a program
/// define FLASHLM_COMPILED and link the bodies (CMake: flashlm::flashlm does both). The namespaces
/// of the two differ, and so do those of headers with OpenMP and without: what files of two kinds
/// pass to each other does not link. A function whose result alone has such a type would link, so
/// each file of a program also brings a variable whose kind tells the way it was compiled and whose
/// name is what to do: linkers refuse one name for a thread's variable and a plain one.
///
/// A file that defines FLASHLM_REFERENCE instead has all bodies with the backend of tests
/// (compute/backend.hpp). It shares a program with files of any kind, and passes them what the
/// standard library has.
///
/// FLASHLM_INLINE stands before every body of an `x.ipp`, and before the declaration of a virtual
/// one in `x.hpp`: without it there, compilers make the class in every file that includes it.
/// FLASHLM_ONCE stands in its place where a body runs once a model or a file, not once a token: it
/// is made small, which is quick to compile.
#pragma once

#define FLASHLM_VERSION "0.1.0"

#if defined(FLASHLM_COMPILED)
#define FLASHLM_ABI v0_compiled
#define FLASHLM_INLINE
#else
#if defined(FLASHLM_REFERENCE)
#define FLASHLM_ABI v0_reference
#elif defined(_OPENMP)
#define FLASHLM_ABI v0_openmp
#else
#define FLASHLM_ABI v0
#endif
#define FLASHLM_INLINE inline
#endif
#if defined(__GNUC__)
#define FLASHLM_ONCE __attribute__((cold)) FLASHLM_INLINE
#else
#define FLASHLM_ONCE FLASHLM_INLINE
#endif

#if defined(__ELF__) && !defined(FLASHLM_REFERENCE)
extern "C" {
#if defined(FLASHLM_COMPILED)
__attribute__((weak, visibility("hidden"))) thread_local int
#else
__attribute__((weak, visibility("hidden"))) int
#endif
    flashlm_define_FLASHLM_COMPILED_in_all_files_or_in_none = 0;
}
#endif

// SPDX-License-Identifier: Apache-2.0
#include "support/replaced_pread.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>

namespace support {

namespace {
std::atomic<PreadFunction> g_replacement{nullptr};
}

#if defined(__linux__)
const bool kCanReplacePread = true;

ssize_t real_pread(int fd, void* into, std::size_t n, off_t offset) {
  // The next definition is the C library's, or the sanitizer's around it.
  static const auto next = reinterpret_cast<PreadFunction>(::dlsym(RTLD_NEXT, "pread"));
  return next(fd, into, n, offset);
}
#else
const bool kCanReplacePread = false;

ssize_t real_pread(int fd, void* into, std::size_t n, off_t offset) {
  return ::pread(fd, into, n, offset);
}
#endif

ReplacedPread::ReplacedPread(PreadFunction replacement) { g_replacement = replacement; }
ReplacedPread::~ReplacedPread() { g_replacement = nullptr; }

}  // namespace support

#if defined(__linux__)
extern "C" ssize_t pread(int fd, void* into, std::size_t n, off_t offset) {
  const support::PreadFunction replacement = support::g_replacement;
  return replacement ? replacement(fd, into, n, offset) : support::real_pread(fd, into, n, offset);
}
#endif

// SPDX-License-Identifier: Apache-2.0
/// replaced_pread.hpp: the system's pread, replaced for the length of a test: errors,
/// interruptions, short reads.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace support {

using PreadFunction = ssize_t (*)(int fd, void* into, std::size_t n, off_t offset);

/// Whether this system lets a program replace pread (Linux). Elsewhere ReplacedPread does nothing.
extern const bool kCanReplacePread;

/// What pread is without a replacement.
ssize_t real_pread(int fd, void* into, std::size_t n, off_t offset);

/// Every pread of this program is `replacement` while this object lives. One at a time.
class ReplacedPread {
 public:
  explicit ReplacedPread(PreadFunction replacement);
  ReplacedPread(const ReplacedPread&) = delete;
  ReplacedPread& operator=(const ReplacedPread&) = delete;
  ~ReplacedPread();
};

}  // namespace support

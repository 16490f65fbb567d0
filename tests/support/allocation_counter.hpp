// SPDX-License-Identifier: Apache-2.0
/// allocation_counter.hpp: how often this program has asked for memory.
#pragma once

#include <cstddef>

namespace support {

/// Calls of operator new so far, on all threads.
std::size_t allocation_count() noexcept;

}  // namespace support

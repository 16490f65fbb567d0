// SPDX-License-Identifier: Apache-2.0
/// other.cpp: the second file that includes everything.
#include <flashlm/flashlm.hpp>

void read_in_other_unit(const char* text, flashlm::MemorySize& size) {
  size = flashlm::parse_memory(text);
}

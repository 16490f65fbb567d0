// SPDX-License-Identifier: Apache-2.0
/// main.cpp: one of two files that include everything; a forgotten `inline` fails to link.
#include <flashlm/flashlm.hpp>

void read_in_other_unit(const char* text, flashlm::MemorySize& size);

int main() {
  flashlm::MemorySize size;
  read_in_other_unit("4KiB", size);
  return size.bytes == flashlm::parse_memory("4096").bytes ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
/// main.cpp: a file that takes flashlm compiled; the other, two_units/other.cpp, was built of headers alone.
#include <flashlm/base/units.hpp>

void read_in_other_unit(const char* text, flashlm::MemorySize& size);

int main() {
  flashlm::MemorySize size;
  read_in_other_unit("4KiB", size);
}

// SPDX-License-Identifier: Apache-2.0
/// main.cpp: asks a file that was compiled the other way for a size. Names of functions do not tell
/// what they return.
#include <flashlm/base/units.hpp>

flashlm::MemorySize read_in_other_unit(const char* text);

int main() { return read_in_other_unit("4KiB").bytes == 4096 ? 0 : 1; }

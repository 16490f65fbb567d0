// SPDX-License-Identifier: Apache-2.0
/// main.cpp: one of two files that include everything; a forgotten `inline` fails to link.
#include <flashlm/flashlm.hpp>

flashlm::MemorySize read_in_other_unit(const char* text);

int main() { return read_in_other_unit("4KiB").bytes == flashlm::parse_memory("4096").bytes ? 0 : 1; }

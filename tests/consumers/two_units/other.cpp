// SPDX-License-Identifier: Apache-2.0
/// other.cpp: the second file that includes everything.
#include <flashlm/flashlm.hpp>

flashlm::MemorySize read_in_other_unit(const char* text) { return flashlm::parse_memory(text); }

// SPDX-License-Identifier: Apache-2.0
/// other.cpp: the second file.
#include <flashlm/base/units.hpp>

flashlm::MemorySize read_in_other_unit(const char* text) { return flashlm::parse_memory(text); }

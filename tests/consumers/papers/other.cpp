// SPDX-License-Identifier: Apache-2.0
/// other.cpp: the second file that includes the component.
#include <flashlm/tools/papers/papers.hpp>

flashlm::tools::PaperId read_in_other_unit(const char* text) {
  return flashlm::tools::PaperId::parse(text);
}

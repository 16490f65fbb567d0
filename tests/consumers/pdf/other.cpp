// SPDX-License-Identifier: Apache-2.0
/// other.cpp: the second file.
#include <flashlm/tools/pdf/pdf.hpp>

flashlm::tools::Pdf read(const char* path) { return flashlm::tools::read_pdf(path); }

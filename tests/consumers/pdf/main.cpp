// SPDX-License-Identifier: Apache-2.0
/// main.cpp: a program that reads PDFs, in two files.
#include <flashlm/tools/pdf/pdf.hpp>

#include <iostream>

flashlm::tools::Pdf read(const char* path);

int main() {
  try {
    read("no-such-paper.pdf");
  } catch (const flashlm::IoError& error) {
    std::cout << error.what() << "\n";
    return 0;
  }
  return 1;
}

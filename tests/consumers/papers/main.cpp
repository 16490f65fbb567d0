// SPDX-License-Identifier: Apache-2.0
/// main.cpp: a program that reads papers, here from an empty cache.
#include <flashlm/tools/papers/papers.hpp>

#include <iostream>

flashlm::tools::PaperId read_in_other_unit(const char* text);

int main() {
  try {
    const flashlm::tools::Papers papers({.cache = "no-such-folder", .offline = true});
    std::cout << papers.info(read_in_other_unit("2312.11514")).title << "\n";
  } catch (const flashlm::IoError& error) {
    std::cout << error.what() << "\n";
    return 0;
  }
  return 1;
}

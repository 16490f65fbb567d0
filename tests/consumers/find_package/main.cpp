// SPDX-License-Identifier: Apache-2.0
/// main.cpp: the smallest program that uses the whole library.
#include <flashlm/flashlm.hpp>

#include <iostream>

int main() {
  try {
    const auto lm = flashlm::LanguageModel::open("no-such-model.flash");
  } catch (const flashlm::Error& error) {
    std::cout << "flashlm " << FLASHLM_VERSION << ": " << error.what() << "\n";
    return 0;
  }
  return 1;
}

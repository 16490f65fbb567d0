// SPDX-License-Identifier: Apache-2.0
/// generate.cpp: continues a text with a packed model. usage: generate MODEL.flash "The moon is"
/// [MEMORY]
#include <flashlm/flashlm.hpp>

#include <cstddef>
#include <iostream>

int main(int argc, char* argv[]) {
  if (argc < 3) return std::cerr << "usage: generate MODEL.flash PROMPT [MEMORY]\n", 2;
  try {
    auto lm = flashlm::LanguageModel::open(argv[1], {.memory = argc > 3 ? argv[3] : "50%"});
    for (std::string_view piece : lm.stream(argv[2], {.max_new_tokens = 24}))
      std::cout << piece << std::flush;
    std::cout << "\n";
  } catch (const flashlm::Error& error) {
    return std::cerr << error.what() << "\n", 1;
  }
}

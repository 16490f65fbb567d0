// SPDX-License-Identifier: Apache-2.0
/// fuzz_main.cpp: replays stored inputs and seeded mutations of them through a fuzz target, without
/// libFuzzer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <vector>

#include "flashlm/base/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int kMutations = 2000;  // of each stored input

using Bytes = std::vector<std::uint8_t>;

/// Flips, cuts, doubles or overwrites a few places.
Bytes mutate(Bytes bytes, flashlm::Random& random) {
  for (std::uint64_t change = 0, n = 1 + random.next() % 4; change < n && !bytes.empty();
       ++change) {
    const std::size_t at = random.next() % bytes.size();
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random.next() % 4) {
      case 0: *place ^= static_cast<std::uint8_t>(1u << random.next() % 8); break;
      case 1: *place = static_cast<std::uint8_t>(random.next()); break;
      case 2: bytes.resize(at); break;
      case 3: {
        const Bytes tail(place, bytes.end());
        bytes.insert(bytes.end(), tail.begin(), tail.end());
        break;
      }
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char* argv[]) {
  std::vector<std::filesystem::path> files;
  for (int argument = 1; argument < argc; ++argument) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[argument]))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  flashlm::Random random(1);
  std::size_t n_inputs = 0;
  for (const std::filesystem::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const Bytes input{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    LLVMFuzzerTestOneInput(input.data(), input.size());
    for (int index = 0; index < kMutations; ++index) {
      const Bytes mutated = mutate(input, random);
      LLVMFuzzerTestOneInput(mutated.data(), mutated.size());
    }
    n_inputs += 1 + kMutations;
  }
  std::printf("%zu inputs from %zu files\n", n_inputs, files.size());
  return files.empty() ? 1 : 0;
}

// SPDX-License-Identifier: Apache-2.0
/// selector_file_fuzz.cpp: any predictor, gates or thresholds are refused with a FormatError, or
/// they select. Checksums are repaired first, since otherwise they would refuse everything.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <unistd.h>

#include "flashlm/compute/cpu/parallel.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/units/select/selector.hpp"

using namespace flashlm;
using namespace flashlm::units;

namespace {

constexpr std::size_t kDim = 32, kNeurons = 3, kTokens = 2;
constexpr std::size_t kLayers[] = {kNeurons, kNeurons};
const std::string kModel = "fuzzed";

/// Writes the right checksums into a file that has a place for them.
void repair(const std::filesystem::path& path) {
  std::vector<std::byte> sums;
  std::uint64_t place = 0;
  {
    const storage::Safetensors file = storage::Safetensors::open(path);
    const storage::TensorInfo* target = file.find(SelectorFile::kChecksums);
    const std::size_t n_others = file.tensors().size() - 1;
    if (target == nullptr ||
        (target->extent.bytes != 4 * n_others && target->extent.bytes != 4 * (1 + n_others))) {
      return;
    }
    place = target->extent.offset;
    const auto add = [&](std::uint32_t sum) {
      for (std::size_t i = 0; i < 4; ++i) sums.push_back(static_cast<std::byte>(sum >> (8 * i)));
    };
    if (target->extent.bytes > 4 * n_others)
      add(storage::crc32_of(file.file(), {0, file.header_bytes()}));
    for (const storage::TensorInfo& tensor : file.tensors()) {
      if (&tensor == target) continue;
      std::vector<std::byte> data(static_cast<std::size_t>(tensor.extent.bytes));
      file.file().read(tensor.extent.offset, data);
      add(storage::crc32(data));
    }
  }
  std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(place));
  stream.write(reinterpret_cast<const char*>(sums.data()),
               static_cast<std::streamsize>(sums.size()));
}

/// Takes the file as a selector of type T, and asks it for the neurons of two tokens.
template <class T, class Select>
void take(const std::filesystem::path& path, std::size_t scratch_bytes, const Select& select) {
  SelectorFile file = SelectorFile::open(path, T::kFormat, kModel);
  if (file.bytes() > std::filesystem::file_size(path)) std::abort();
  (void)file.digest();
  file.load();
  const T selector(std::move(file), kDim, kLayers);
  Parallel parallel(1);
  ActiveSets sets(kTokens, kNeurons);
  std::vector<float> x(kTokens * kDim, 0.5f), scratch(scratch_bytes / sizeof(float));
  for (std::size_t layer = 0; layer < 2; ++layer)
    select(selector, layer, x, parallel, scratch, sets);
  for (std::size_t token = 0; token < kTokens; ++token) {
    if (sets.count(token, kNeurons) > kNeurons) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("selector_file_fuzz_" + std::to_string(::getpid()));
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const auto each = [&](const auto& one) {
    try {
      one();
    } catch (const FormatError&) {
    }
  };
  each([] { repair(path); });
  each([&] {
    take<Predictor>(
        path, Predictor::scratch_bytes(size, kTokens, 1),
        [](const auto& selector, std::size_t layer, auto& x, auto& parallel, auto& scratch,
           auto& sets) { selector.select(layer, kNeurons, x, kTokens, parallel, scratch, sets); });
  });
  each([&] {
    take<GateSelector>(path, GateSelector::scratch_bytes(kDim, kTokens, 1),
                       [](const auto& selector, std::size_t layer, auto& x, auto& parallel,
                          auto& scratch, auto& sets) {
                         selector.select(layer, kNeurons, {}, x, kTokens, parallel, scratch, sets);
                       });
  });
  each([&] {
    take<ThresholdSelector>(
        path, ThresholdSelector::scratch_bytes(kTokens, 1),
        [](const auto& selector, std::size_t layer, auto& x, auto& parallel, auto& scratch,
           auto& sets) { selector.select(layer, kNeurons, x, kTokens, parallel, scratch, sets); });
  });
  std::filesystem::remove(path);
  return 0;
}

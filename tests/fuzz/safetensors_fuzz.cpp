// SPDX-License-Identifier: Apache-2.0
/// safetensors_fuzz.cpp: any file is either refused with a FormatError, or all its tensors lie
/// inside it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>

#include <unistd.h>

#include "flashlm/storage/format/safetensors.hpp"

using namespace flashlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("safetensors_fuzz_" + std::to_string(::getpid()));
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const storage::Safetensors file = storage::Safetensors::open(path);
    for (const storage::TensorInfo& tensor : file.tensors()) {
      if (!tensor.extent.inside(size) || tensor.extent.offset < file.header_bytes()) std::abort();
      if (file.find(tensor.name) != &tensor) std::abort();
    }
  } catch (const FormatError&) {
  }
  std::filesystem::remove(path);
  return 0;
}

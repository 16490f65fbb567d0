// SPDX-License-Identifier: Apache-2.0
/// kv_file_fuzz.cpp: any KV file is refused, or its rows come into the cache and nothing else
/// changes. Checksums are repaired first, since otherwise they would refuse everything.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <span>
#include <string>
#include <vector>

#include <unistd.h>

#include "flashlm/model/engine.hpp"
#include "flashlm/model/kv/kv_file.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "support/kv_shape.hpp"

using namespace flashlm;

namespace {

void repair(std::vector<std::byte>& bytes, std::size_t begin, std::size_t end) {
  const std::uint32_t crc = storage::crc32(std::span(bytes).subspan(begin, end - begin));
  for (std::size_t i = 0; i < 4; ++i) bytes[end + i] = static_cast<std::byte>(crc >> (8 * i));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("kv_file_fuzz_" + std::to_string(::getpid()));
  std::vector<std::byte> bytes(size);
  for (std::size_t at = 0; at < size; ++at) bytes[at] = static_cast<std::byte>(data[at]);
  if (size >= 132) {
    repair(bytes, 0, 124);
    repair(bytes, 128, size - 4);
  }
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(size));
  storage::Digest fingerprint;
  for (std::size_t at = 0; at < fingerprint.size(); ++at)
    fingerprint[at] = static_cast<std::byte>(at);
  model::KvCache kv(support::kv_shape(1, 1, 2), 4, DType::f16);
  try {
    const model::KvFile file = model::KvFile::open(path, fingerprint, kv);
    if (model::KvFile::bytes(kv, file.range().n_tokens) != size) std::abort();
    if (file.tokens().size() != file.range().n_tokens) std::abort();
    file.check();
    file.read(kv);
    if (file.range().first + file.range().n_tokens > kv.context()) std::abort();
  } catch (const FormatError&) {
  } catch (const ShapeError&) {
  }
  std::filesystem::remove(path);
  return 0;
}

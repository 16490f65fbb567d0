// SPDX-License-Identifier: Apache-2.0
/// config_fuzz.cpp: any config.json is refused with a FormatError, or has sizes that can be multiplied.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "flashlm/model/config.hpp"

using namespace flashlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const model::ModelConfig config =
        model::ModelConfig::parse(std::string_view(reinterpret_cast<const char*>(data), size), "input");
    if (config.n_heads == 0 || config.n_kv_heads == 0 || config.n_heads % config.n_kv_heads != 0) std::abort();
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(config.vocab_size, config.dim, &bytes)) std::abort();
  } catch (const FormatError&) {
  }
  return 0;
}

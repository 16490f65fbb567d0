// SPDX-License-Identifier: Apache-2.0
/// graph_fuzz.cpp: any graph is refused with a FormatError, or has tensors whose sizes can be
/// multiplied.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "flashlm/model/graph/read_spec.hpp"
#include "flashlm/model/graph/runs.hpp"
#include "flashlm/model/graph/tensors.hpp"

using namespace flashlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMostLayers = 64;  // the lists of more take long and show nothing new
  try {
    const model::ModelSpec spec =
        model::parse_spec({reinterpret_cast<const char*>(data), size}, "input");
    model::require_runs(spec, "input");
    if (spec.n_layers() > kMostLayers) return 0;
    for (const model::GraphTensor& tensor : model::tensors(spec)) {
      std::size_t bytes = 4;
      for (const std::size_t n : tensor.shape) {
        if (n == 0 || __builtin_mul_overflow(bytes, n, &bytes)) std::abort();
      }
    }
  } catch (const FormatError&) {
  }
  return 0;
}

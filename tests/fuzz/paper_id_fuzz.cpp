// SPDX-License-Identifier: Apache-2.0
/// paper_id_fuzz.cpp: any text is refused with an ArgumentError, or is an id whose files lie in the
/// cache's folders.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "flashlm/tools/papers/paper_cache.hpp"

using namespace flashlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const tools::PaperId id = tools::PaperId::parse({reinterpret_cast<const char*>(data), size});
    if (tools::PaperId::parse(id.text()) != id) std::abort();
    const tools::PaperCache cache("/cache");
    if (cache.pdf_path(id).lexically_normal().parent_path() != "/cache/pdf") std::abort();
    if (cache.text_path(id).lexically_normal().parent_path() != "/cache/text") std::abort();
  } catch (const ArgumentError&) {
  }
  return 0;
}

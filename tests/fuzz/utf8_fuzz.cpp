// SPDX-License-Identifier: Apache-2.0
/// utf8_fuzz.cpp: bytes that come in any pieces give the text that they give at once, and that text
/// is UTF-8.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "flashlm/text/unicode/utf8.hpp"

using namespace flashlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = text::utf8_lossy(bytes);
  if (!text::is_utf8(whole) || (text::is_utf8(bytes) && whole != bytes)) std::abort();
  for (std::size_t piece = 1; piece < 8; ++piece) {
    text::Utf8Stream stream;
    std::string joined;
    for (std::size_t at = 0; at < size; at += piece) joined += stream.push(bytes.substr(at, piece));
    joined += stream.flush();
    if (joined != whole) std::abort();
  }
  return 0;
}

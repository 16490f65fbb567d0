// SPDX-License-Identifier: Apache-2.0
/// tokenizer_fuzz.cpp: any bytes as a tokenizer.json are a FormatError or a tokenizer that encodes
/// and decodes any text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "flashlm/base/error.hpp"
#include "flashlm/text/tokenizer/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = flashlm::text::Tokenizer::parse(bytes, "fuzz");
    // The document is text as good as any, and not always UTF-8.
    tokenizer.decode(tokenizer.encode(bytes.substr(0, 2000)));
    tokenizer.decode(
        tokenizer.encode("<a> it's 12  \xf0\x9f\x98\x80\xff\n b<b>", {.parse_special = false}),
        true);
  } catch (const flashlm::FormatError&) {
  }
  return 0;
}

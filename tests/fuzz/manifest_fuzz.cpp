// SPDX-License-Identifier: Apache-2.0
/// manifest_fuzz.cpp: any text is either a manifest, whose text parses again to the same text, or a
/// FormatError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "flashlm/storage/format/manifest.hpp"

using namespace flashlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    (void)storage::Manifest::parse(text, "input");
  } catch (const FormatError&) {
  }
  // Past the checksum, which random changes never match.
  try {
    const storage::Json json = storage::parse_json(text, "manifest", "input");
    const std::string written = storage::Manifest::from_json(json, "input").text();
    if (storage::Manifest::parse(written, "written").text() != written) std::abort();
  } catch (const FormatError&) {
  }
  return 0;
}

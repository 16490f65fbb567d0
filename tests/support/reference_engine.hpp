// SPDX-License-Identifier: Apache-2.0
/// reference_engine.hpp: the engine with the backend of tests, whatever this file's own has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace support {

/// How a text goes through an engine.
struct ReferenceRun {
  std::string selector = "dense";
  std::string policy = "auto";
  double share = 1;       // of the packed weights
  std::size_t batch = 8;  // tokens
};

/// The logits after every token of a text, [n_tokens, vocab_size].
std::vector<float> reference_engine(const std::filesystem::path& folder,
                                    std::span<const std::int32_t> tokens,
                                    const ReferenceRun& run = {});

}  // namespace support

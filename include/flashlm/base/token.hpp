// SPDX-License-Identifier: Apache-2.0
/// token.hpp: the word that the model layer and the text layer share.
#pragma once

#include <cstdint>

#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

/// An id of the vocabulary, in [0, vocab_size).
using Token = std::int32_t;

}  // namespace flashlm::inline FLASHLM_ABI

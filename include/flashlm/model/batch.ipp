// SPDX-License-Identifier: Apache-2.0
/// batch.ipp: the bodies of batch.hpp.
#pragma once

#include "flashlm/model/batch.hpp"

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE void check_batch(const ModelSpec& spec, std::size_t max_batch, const KvCache& kv,
                                std::size_t first, std::span<const Token> tokens,
                                std::span<const float> logits) {
  if (tokens.empty() || tokens.size() > max_batch) {
    throw ShapeError(concat("[engine] tokens: expected 1 to ", max_batch, ", got ", tokens.size()));
  }
  if (first + tokens.size() > kv.context()) {
    throw ShapeError(concat("[engine] positions: expected at most the context of ", kv.context(),
                            ", got ", first + tokens.size()));
  }
  if (logits.size() % spec.vocab_size != 0 || logits.size() > tokens.size() * spec.vocab_size) {
    throw ShapeError(concat("[engine] logits: expected a row of ", spec.vocab_size, " for up to ",
                            tokens.size(), " tokens, got ", logits.size(), " floats"));
  }
  for (const Token token : tokens) {
    if (token < 0 || static_cast<std::size_t>(token) >= spec.vocab_size) {
      throw ArgumentError(
          concat("[engine] token: expected an id below ", spec.vocab_size, ", got ", token));
    }
  }
}

}  // namespace flashlm::inline FLASHLM_ABI::model

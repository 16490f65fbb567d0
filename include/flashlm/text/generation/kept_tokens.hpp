// SPDX-License-Identifier: Apache-2.0
/// kept_tokens.hpp: which tokens of a conversation stay from turn to turn.
#pragma once

#include <span>
#include <vector>

#include "flashlm/base/token.hpp"
#include "flashlm/text/tokenizer/tokenizer.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::text {

/// A prompt that begins with the tokens that are there, as far as they spell the same text.
///
/// A model may spell its answer in other tokens than a tokenizer would. Where the next prompt
/// repeats the answer, the session would compute it again; with the tokens that it has, it does
/// not. Special tokens are kept only where both have them: no text can stand for one.
///
/// `before` is what a session has read and written, `prompt` what comes next as `tokenizer` spells
/// it. The result spells what `prompt` does. Throws ArgumentError for an id that is not in the
/// vocabulary. Thread-safe.
std::vector<Token> keep_tokens(std::span<const Token> before, std::span<const Token> prompt,
                               const Tokenizer& tokenizer);

}  // namespace flashlm::inline FLASHLM_ABI::text

#if !defined(FLASHLM_COMPILED)
#include "flashlm/text/generation/kept_tokens.ipp"
#endif

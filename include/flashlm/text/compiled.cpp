// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of text/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/text/chat/chat_format.ipp"
#include "flashlm/text/chat/flash_chat_model.ipp"
#include "flashlm/text/chat/scripted_chat_model.ipp"
#include "flashlm/text/generation/generation.ipp"
#include "flashlm/text/generation/kept_tokens.ipp"
#include "flashlm/text/generation/sampler.ipp"
#include "flashlm/text/generation/stop_matcher.ipp"
#include "flashlm/text/language_model.ipp"
#include "flashlm/text/options.ipp"
#include "flashlm/text/tokenizer/added_tokens.ipp"
#include "flashlm/text/tokenizer/bpe.ipp"
#include "flashlm/text/tokenizer/byte_alphabet.ipp"
#include "flashlm/text/tokenizer/byte_trie.ipp"
#include "flashlm/text/tokenizer/decoder.ipp"
#include "flashlm/text/tokenizer/normalizer.ipp"
#include "flashlm/text/tokenizer/pre_tokenizer.ipp"
#include "flashlm/text/tokenizer/regex.ipp"
#include "flashlm/text/tokenizer/tokenizer.ipp"
#include "flashlm/text/tokenizer/unigram.ipp"
#include "flashlm/text/tokenizer/vocabulary.ipp"
#include "flashlm/text/unicode/code_points.ipp"
#include "flashlm/text/unicode/utf8.ipp"

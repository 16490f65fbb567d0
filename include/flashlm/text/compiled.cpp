// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of text/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/text/added_tokens.ipp"
#include "flashlm/text/bpe.ipp"
#include "flashlm/text/byte_trie.ipp"
#include "flashlm/text/chat_format.ipp"
#include "flashlm/text/code_points.ipp"
#include "flashlm/text/flash_chat_model.ipp"
#include "flashlm/text/generation.ipp"
#include "flashlm/text/kv_store.ipp"
#include "flashlm/text/language_model.ipp"
#include "flashlm/text/options.ipp"
#include "flashlm/text/pattern.ipp"
#include "flashlm/text/pattern_places.ipp"
#include "flashlm/text/pattern_states.ipp"
#include "flashlm/text/pre_tokenizer.ipp"
#include "flashlm/text/sampler.ipp"
#include "flashlm/text/scripted_chat_model.ipp"
#include "flashlm/text/stop_matcher.ipp"
#include "flashlm/text/tokenizer.ipp"
#include "flashlm/text/utf8.ipp"

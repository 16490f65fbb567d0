// SPDX-License-Identifier: Apache-2.0
/// language_model.hpp: what a program needs that opens a model and writes text. It compiles faster
/// than flashlm.hpp, which adds chat, grammars, agents, and the parts of which a model is made.
#pragma once

#include "flashlm/base/error.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/model/kv_store.hpp"
#include "flashlm/model/plan/memory_plan.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/text/generation/generation.hpp"
#include "flashlm/text/language_model.hpp"
#include "flashlm/text/tokenizer/tokenizer.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

using model::MemoryPlan;
using model::Session;
using text::FinishReason;
using text::Generation;
using text::GenerationOptions;
using text::KvStore;
using text::LanguageModel;
using text::LanguageModelOptions;
using text::Tokenizer;

}  // namespace flashlm::inline FLASHLM_ABI

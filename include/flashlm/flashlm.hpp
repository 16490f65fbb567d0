// SPDX-License-Identifier: Apache-2.0
/// flashlm.hpp: the umbrella. One include brings everything from base to agent, and the names that programs use.
#pragma once

#include "flashlm/agent/agent.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/base/stats.hpp"
#include "flashlm/base/token.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/kernels/gather.hpp"
#include "flashlm/kernels/requantise.hpp"
#include "flashlm/kernels/softmax.hpp"
#include "flashlm/kernels/tile_dots.hpp"
#include "flashlm/kernels/top_k.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/model/memory_plan.hpp"
#include "flashlm/model/model.hpp"
#include "flashlm/model/session.hpp"
#include "flashlm/sparse/neuron_cache.hpp"
#include "flashlm/storage/bundle_writer.hpp"
#include "flashlm/storage/disk_probe.hpp"
#include "flashlm/storage/memory_reader.hpp"
#include "flashlm/storage/safetensors_writer.hpp"
#include "flashlm/text/chat_message.hpp"
#include "flashlm/text/chat_model.hpp"
#include "flashlm/text/flash_chat_model.hpp"
#include "flashlm/text/generation.hpp"
#include "flashlm/text/kv_store.hpp"
#include "flashlm/text/language_model.hpp"
#include "flashlm/text/scripted_chat_model.hpp"
#include "flashlm/text/tokenizer.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

using agent::Agent;
using agent::AgentOptions;
using agent::AgentStatus;
using agent::Step;
using agent::Tool;
using model::Engine;
using model::EngineOptions;
using model::MemoryPlan;
using model::Model;
using model::ModelConfig;
using model::Session;
using text::ChatMessage;
using text::ChatModel;
using text::ChatOptions;
using text::FinishReason;
using text::FlashChatModel;
using text::Generation;
using text::GenerationOptions;
using text::KvStore;
using text::LanguageModel;
using text::LanguageModelOptions;
using text::ScriptedChatModel;
using text::Tokenizer;

}  // namespace flashlm::inline FLASHLM_ABI

// SPDX-License-Identifier: Apache-2.0
/// flashlm.hpp: the umbrella. One include brings everything from base to agent, and the names that
/// programs use.
#pragma once

#include "flashlm/agent/agent.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/kernels/gather.hpp"
#include "flashlm/kernels/requantise.hpp"
#include "flashlm/kernels/softmax.hpp"
#include "flashlm/kernels/tile_dots.hpp"
#include "flashlm/kernels/top_k.hpp"
#include "flashlm/language_model.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/model/model.hpp"
#include "flashlm/sparse/neuron_cache.hpp"
#include "flashlm/storage/bundle_writer.hpp"
#include "flashlm/storage/disk_probe.hpp"
#include "flashlm/storage/memory_reader.hpp"
#include "flashlm/storage/safetensors_writer.hpp"
#include "flashlm/text/chat_message.hpp"
#include "flashlm/text/chat_model.hpp"
#include "flashlm/text/flash_chat_model.hpp"
#include "flashlm/text/grammar.hpp"
#include "flashlm/text/grammar_guide.hpp"
#include "flashlm/text/scripted_chat_model.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI {

using agent::Agent;
using agent::AgentOptions;
using agent::AgentStatus;
using agent::Step;
using agent::Tool;
using model::Engine;
using model::EngineOptions;
using model::Model;
using model::ModelSpec;
using text::ChatMessage;
using text::ChatModel;
using text::ChatOptions;
using text::FlashChatModel;
using text::ScriptedChatModel;

}  // namespace flashlm::inline FLASHLM_ABI

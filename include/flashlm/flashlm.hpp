// SPDX-License-Identifier: Apache-2.0
/// flashlm.hpp: the umbrella. One include brings everything from base to agent, and the names that
/// programs use.
#pragma once

#include "flashlm/agent/agent.hpp"
#include "flashlm/base/units.hpp"
#include "flashlm/compute/cpu/kernels/gather.hpp"
#include "flashlm/compute/cpu/kernels/softmax.hpp"
#include "flashlm/compute/cpu/kernels/tile_dots.hpp"
#include "flashlm/compute/cpu/kernels/top_k.hpp"
#include "flashlm/compute/cpu/quantise/requantise.hpp"
#include "flashlm/language_model.hpp"
#include "flashlm/model/engine.hpp"
#include "flashlm/model/graph/model.hpp"
#include "flashlm/storage/format/bundle_writer.hpp"
#include "flashlm/storage/format/safetensors_writer.hpp"
#include "flashlm/storage/readers/disk_probe.hpp"
#include "flashlm/storage/readers/memory_reader.hpp"
#include "flashlm/text/chat/chat_message.hpp"
#include "flashlm/text/chat/chat_model.hpp"
#include "flashlm/text/chat/flash_chat_model.hpp"
#include "flashlm/text/chat/scripted_chat_model.hpp"
#include "flashlm/text/grammar/grammar.hpp"
#include "flashlm/text/grammar/grammar_guide.hpp"
#include "flashlm/units/neuron_cache.hpp"
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

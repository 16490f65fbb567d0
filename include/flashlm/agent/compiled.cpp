// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of agent/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/agent/action_parser.ipp"
#include "flashlm/agent/agent.ipp"
#include "flashlm/agent/agent_prompt.ipp"
#include "flashlm/agent/arguments.ipp"
#include "flashlm/agent/observation_budget.ipp"
#include "flashlm/agent/step.ipp"
#include "flashlm/agent/tool.ipp"

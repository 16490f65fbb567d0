// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of model/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/model/batch.ipp"
#include "flashlm/model/budget_keeper.ipp"
#include "flashlm/model/engine.ipp"
#include "flashlm/model/graph/model.ipp"
#include "flashlm/model/graph/read_spec.ipp"
#include "flashlm/model/graph/read_work.ipp"
#include "flashlm/model/graph/runs.ipp"
#include "flashlm/model/graph/tensors.ipp"
#include "flashlm/model/graph/weights.ipp"
#include "flashlm/model/kv/kv_cache.ipp"
#include "flashlm/model/kv/kv_file.ipp"
#include "flashlm/model/kv/kv_fingerprint.ipp"
#include "flashlm/model/kv/kv_head.ipp"
#include "flashlm/model/kv_store.ipp"
#include "flashlm/model/parts/attention.ipp"
#include "flashlm/model/parts/embedding.ipp"
#include "flashlm/model/parts/layer.ipp"
#include "flashlm/model/parts/normalize.ipp"
#include "flashlm/model/parts/product.ipp"
#include "flashlm/model/parts/rope_table.ipp"
#include "flashlm/model/pass.ipp"
#include "flashlm/model/plan/engine_options.ipp"
#include "flashlm/model/plan/governor.ipp"
#include "flashlm/model/plan/memory_needs.ipp"
#include "flashlm/model/plan/memory_plan.ipp"
#include "flashlm/model/session.ipp"
#include "flashlm/model/step_meter.ipp"

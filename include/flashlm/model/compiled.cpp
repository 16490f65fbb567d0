// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of model/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/model/attention.ipp"
#include "flashlm/model/batch.ipp"
#include "flashlm/model/embedding.ipp"
#include "flashlm/model/engine.ipp"
#include "flashlm/model/engine_options.ipp"
#include "flashlm/model/governor.ipp"
#include "flashlm/model/graph/read_spec.ipp"
#include "flashlm/model/graph/read_work.ipp"
#include "flashlm/model/graph/runs.ipp"
#include "flashlm/model/graph/tensors.ipp"
#include "flashlm/model/kv_cache.ipp"
#include "flashlm/model/kv_file.ipp"
#include "flashlm/model/kv_fingerprint.ipp"
#include "flashlm/model/kv_head.ipp"
#include "flashlm/model/layer.ipp"
#include "flashlm/model/memory_needs.ipp"
#include "flashlm/model/memory_plan.ipp"
#include "flashlm/model/model.ipp"
#include "flashlm/model/normalize.ipp"
#include "flashlm/model/product.ipp"
#include "flashlm/model/rope_table.ipp"
#include "flashlm/model/session.ipp"
#include "flashlm/model/weights.ipp"

// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of sparse/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/sparse/activation_tap.ipp"
#include "flashlm/sparse/active_sets.ipp"
#include "flashlm/sparse/eviction.ipp"
#include "flashlm/sparse/gate_selector.ipp"
#include "flashlm/sparse/gate_writer.ipp"
#include "flashlm/sparse/gathered_ffn.ipp"
#include "flashlm/sparse/layer_stream.ipp"
#include "flashlm/sparse/neuron_cache.ipp"
#include "flashlm/sparse/neuron_reads.ipp"
#include "flashlm/sparse/neuron_set.ipp"
#include "flashlm/sparse/packed_rows.ipp"
#include "flashlm/sparse/paper_ffn.ipp"
#include "flashlm/sparse/pass_layout.ipp"
#include "flashlm/sparse/pending_reads.ipp"
#include "flashlm/sparse/pinned_weights.ipp"
#include "flashlm/sparse/predictor.ipp"
#include "flashlm/sparse/segment.ipp"
#include "flashlm/sparse/selective_ffn.ipp"
#include "flashlm/sparse/selector.ipp"
#include "flashlm/sparse/selector_file.ipp"
#include "flashlm/sparse/single_neurons.ipp"
#include "flashlm/sparse/sparse_ffn.ipp"
#include "flashlm/sparse/streamed_ffn.ipp"
#include "flashlm/sparse/threshold_selector.ipp"
#include "flashlm/sparse/weight_stream.ipp"
#include "flashlm/sparse/windowed_ffn.ipp"

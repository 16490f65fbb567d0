// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of units/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/units/eviction.ipp"
#include "flashlm/units/ffn/chosen_ffn.ipp"
#include "flashlm/units/ffn/gathered_ffn.ipp"
#include "flashlm/units/ffn/layer_stream.ipp"
#include "flashlm/units/ffn/neuron_activation.ipp"
#include "flashlm/units/ffn/paper_ffn.ipp"
#include "flashlm/units/ffn/selective_ffn.ipp"
#include "flashlm/units/ffn/sparse_ffn.ipp"
#include "flashlm/units/ffn/streamed_ffn.ipp"
#include "flashlm/units/ffn/windowed_ffn.ipp"
#include "flashlm/units/neuron_cache.ipp"
#include "flashlm/units/neuron_reads.ipp"
#include "flashlm/units/packed_rows.ipp"
#include "flashlm/units/select/activation_tap.ipp"
#include "flashlm/units/select/active_sets.ipp"
#include "flashlm/units/select/gate_selector.ipp"
#include "flashlm/units/select/gate_writer.ipp"
#include "flashlm/units/select/predictor.ipp"
#include "flashlm/units/select/selector.ipp"
#include "flashlm/units/select/selector_file.ipp"
#include "flashlm/units/select/threshold_selector.ipp"
#include "flashlm/units/single_neurons.ipp"

namespace flashlm::inline FLASHLM_ABI::units {

template class ChosenFfn<PaperRows>;
template class ChosenFfn<WindowedRows>;

}  // namespace flashlm::inline FLASHLM_ABI::units

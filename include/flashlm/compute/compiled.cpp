// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of compute/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/compute/cpu/cpu_backend.ipp"
#include "flashlm/compute/cpu/isa/activation_kind.ipp"
#include "flashlm/compute/cpu/isa/cpu.ipp"
#include "flashlm/compute/cpu/isa/dispatch.ipp"
#include "flashlm/compute/cpu/kernels/activation.ipp"
#include "flashlm/compute/cpu/kernels/attention.ipp"
#include "flashlm/compute/cpu/kernels/elementwise.ipp"
#include "flashlm/compute/cpu/kernels/gather.ipp"
#include "flashlm/compute/cpu/kernels/matmul.ipp"
#include "flashlm/compute/cpu/kernels/neuron_sum.ipp"
#include "flashlm/compute/cpu/kernels/norm.ipp"
#include "flashlm/compute/cpu/kernels/rope.ipp"
#include "flashlm/compute/cpu/kernels/softmax.ipp"
#include "flashlm/compute/cpu/kernels/tile_dots.ipp"
#include "flashlm/compute/cpu/kernels/top_k.ipp"
#include "flashlm/compute/cpu/parallel.ipp"
#include "flashlm/compute/cpu/quantise/convert.ipp"
#include "flashlm/compute/cpu/quantise/requantise.ipp"
#include "flashlm/compute/cpu/quantise/tiling.ipp"
#include "flashlm/compute/cpu/reserved_memory.ipp"

// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of kernels/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/kernels/activation.ipp"
#include "flashlm/kernels/activation_kind.ipp"
#include "flashlm/kernels/attention.ipp"
#include "flashlm/kernels/convert.ipp"
#include "flashlm/kernels/dispatch.ipp"
#include "flashlm/kernels/elementwise.ipp"
#include "flashlm/kernels/gather.ipp"
#include "flashlm/kernels/matmul.ipp"
#include "flashlm/kernels/neuron_sum.ipp"
#include "flashlm/kernels/norm.ipp"
#include "flashlm/kernels/requantise.ipp"
#include "flashlm/kernels/rope.ipp"
#include "flashlm/kernels/softmax.ipp"
#include "flashlm/kernels/tile_dots.ipp"
#include "flashlm/kernels/tiling.ipp"
#include "flashlm/kernels/top_k.ipp"

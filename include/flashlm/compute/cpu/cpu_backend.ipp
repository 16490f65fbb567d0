// SPDX-License-Identifier: Apache-2.0
/// cpu_backend.ipp: the bodies of cpu_backend.hpp.
#pragma once

#include "flashlm/compute/cpu/cpu_backend.hpp"

#include "flashlm/compute/cpu/isa/cpu.hpp"
#include "flashlm/compute/cpu/kernels/activation.hpp"
#include "flashlm/compute/cpu/kernels/attention.hpp"
#include "flashlm/compute/cpu/kernels/elementwise.hpp"
#include "flashlm/compute/cpu/kernels/gather.hpp"
#include "flashlm/compute/cpu/kernels/matmul.hpp"
#include "flashlm/compute/cpu/kernels/neuron_sum.hpp"
#include "flashlm/compute/cpu/kernels/norm.hpp"
#include "flashlm/compute/cpu/kernels/rope.hpp"
#include "flashlm/compute/cpu/kernels/tile_dots.hpp"
#include "flashlm/compute/cpu/quantise/convert.hpp"

namespace flashlm::inline FLASHLM_ABI::compute {

FLASHLM_INLINE std::string_view Cpu::name() { return flashlm::name(kernels::active().isa); }

FLASHLM_INLINE void Cpu::widen(DType dtype, const std::byte* row, std::span<float> out) {
  kernels::to_f32(dtype, row, out);
}

FLASHLM_INLINE void Cpu::keep(std::span<const float> x, DType dtype, std::byte* row) {
  kernels::from_f32(x, dtype, row);
}

FLASHLM_INLINE void Cpu::product(const MatrixView& weights, const float* x, std::size_t x_stride,
                                 std::size_t n_tokens, float* y, std::size_t y_stride) {
  kernels::matmul(weights, x, x_stride, n_tokens, y, y_stride);
}

FLASHLM_INLINE void Cpu::product(const TilesView& tiles, const ActivationBlock* x,
                                 std::size_t x_stride, std::size_t n_tokens, float* y,
                                 std::size_t y_stride) {
  kernels::tile_dots(tiles, x, x_stride, n_tokens, y, y_stride);
}

FLASHLM_INLINE void Cpu::round(std::span<const float> x, ActivationBlock* blocks) {
  kernels::to_blocks(x, blocks);
}

FLASHLM_INLINE void Cpu::rope(std::span<float> head, std::span<const float> cosines,
                              std::span<const float> sines) {
  kernels::rope(head, cosines, sines);
}

FLASHLM_INLINE void Cpu::attend(const kernels::Queries& queries, const MatrixView& keys,
                                const MatrixView& values, float scale) {
  kernels::attend(queries, keys, values, scale);
}

FLASHLM_INLINE void Cpu::activate(kernels::Activation activation, float threshold,
                                  std::span<float> gate, std::span<const float> up) {
  kernels::activate(activation, threshold, gate, up);
}

FLASHLM_INLINE void Cpu::activate(kernels::Activation activation, float threshold,
                                  std::span<float> x) {
  kernels::activate(activation, threshold, x);
}

FLASHLM_INLINE void Cpu::gathered_product(const RowsView& rows, const float* x, float* y) {
  kernels::gather_dots(rows, x, y);
}

FLASHLM_INLINE void Cpu::gathered_sum(const RowsView& rows, const float* h, float* y,
                                      std::size_t begin_col, std::size_t end_col) {
  kernels::gather_sum(rows, h, y, begin_col, end_col);
}

FLASHLM_INLINE void Cpu::neuron_sum(const MatrixView& rows, const float* h, std::size_t h_stride,
                                    std::size_t n_tokens, float* y, std::size_t y_stride,
                                    std::size_t begin_col, std::size_t end_col,
                                    const std::byte* next) {
  kernels::neuron_sum(rows, h, h_stride, n_tokens, y, y_stride, begin_col, end_col, next);
}

FLASHLM_INLINE void Cpu::rms_norm(std::span<const float> x, std::span<const float> weight,
                                  float epsilon, std::span<float> out) {
  kernels::rms_norm(x, weight, epsilon, out);
}

FLASHLM_INLINE void Cpu::layer_norm(std::span<const float> x, std::span<const float> weight,
                                    std::span<const float> bias, float epsilon,
                                    std::span<float> out) {
  kernels::layer_norm(x, weight, bias, epsilon, out);
}

FLASHLM_INLINE void Cpu::add(std::span<const float> x, std::span<float> y) { kernels::add(x, y); }

FLASHLM_INLINE void Cpu::scale(std::span<float> x, float factor) { kernels::scale(x, factor); }

FLASHLM_INLINE void Cpu::softcap(std::span<float> x, float cap) { kernels::softcap(x, cap); }

}  // namespace flashlm::inline FLASHLM_ABI::compute

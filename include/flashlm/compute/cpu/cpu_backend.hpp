// SPDX-License-Identifier: Apache-2.0
/// cpu_backend.hpp: what an engine computes with on processors: the verbs of a step, as kernels.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::compute {

/// The verbs of a step (docs/architecture.md, compute), each for a part that one thread takes. The
/// headers of compute/cpu/kernels say what each does, its numerics, and how it is cut.
///
/// Another backend is a class with the same verbs: compute::Reference. Nothing in model/ or units/
/// calls a kernel otherwise. Allocates nothing. Thread-safe.
struct Cpu {
  /// Names what bits depend on: the instruction set.
  static std::string_view name();

  // Embeddings, and keys and values that are kept.
  static void widen(DType dtype, const std::byte* row, std::span<float> out);
  static void keep(std::span<const float> x, DType dtype, std::byte* row);

  // Products of weights with activations.
  static void product(const MatrixView& weights, const float* x, std::size_t x_stride,
                      std::size_t n_tokens, float* y, std::size_t y_stride);
  static void product(const TilesView& tiles, const ActivationBlock* x, std::size_t x_stride,
                      std::size_t n_tokens, float* y, std::size_t y_stride);  // adds to y
  static void round(std::span<const float> x, ActivationBlock* blocks);

  // Attention.
  static void rope(std::span<float> head, std::span<const float> cosines,
                   std::span<const float> sines);
  static void attend(const kernels::Queries& queries, const MatrixView& keys,
                     const MatrixView& values, float scale);

  // Neurons.
  static void activate(kernels::Activation activation, float threshold, std::span<float> gate,
                       std::span<const float> up);
  static void activate(kernels::Activation activation, float threshold, std::span<float> x);
  static void gathered_product(const RowsView& rows, const float* x, float* y);
  static void gathered_sum(const RowsView& rows, const float* h, float* y, std::size_t begin_col,
                           std::size_t end_col);
  static void neuron_sum(const MatrixView& rows, const float* h, std::size_t h_stride,
                         std::size_t n_tokens, float* y, std::size_t y_stride,
                         std::size_t begin_col, std::size_t end_col,
                         const std::byte* next = nullptr);

  // The residual stream, and logits.
  static void rms_norm(std::span<const float> x, std::span<const float> weight, float epsilon,
                       std::span<float> out);
  static void layer_norm(std::span<const float> x, std::span<const float> weight,
                         std::span<const float> bias, float epsilon, std::span<float> out);
  static void add(std::span<const float> x, std::span<float> y);
  static void scale(std::span<float> x, float factor);
  static void softcap(std::span<float> x, float cap);
};

}  // namespace flashlm::inline FLASHLM_ABI::compute

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/cpu_backend.ipp"
#endif

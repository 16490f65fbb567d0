// SPDX-License-Identifier: Apache-2.0
/// dispatch.hpp: the kernels, compiled once per instruction set and chosen when the program runs.
///
/// Every kernel body is one `.inc` file. An `isa_*.inc` file opens a region with its target,
/// defines the vector type of that instruction set, and includes the bodies. No compiler flag is
/// needed, and the user's flags change no bit: contraction is off inside the regions, every fused
/// multiply-add is spelled, and fast-math is refused. (One flag can not be undone: clang's
/// -ffp-contract=fast ignores every pragma.)
///
/// The bodies cost seconds in every source file that includes them; compiled once (version.hpp),
/// they cost them once. The bits are the same.
#pragma once

#include <cstddef>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/tiles.hpp"
#include "flashlm/compute/cpu/isa/activation_kind.hpp"
#include "flashlm/compute/cpu/isa/cpu.hpp"
#include "flashlm/version.hpp"

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \
    (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || __FLT_EVAL_METHOD__ < 0 ||      \
    __FLT_EVAL_METHOD__ == 2
#error \
    "flashlm promises the same bits everywhere: build without -ffast-math, its parts and x87 code."
#endif

namespace flashlm::inline FLASHLM_ABI::kernels {

/// Queries that see the same keys: some heads of some tokens that follow each other, and where
/// their results go.
///
/// data and out are [n_tokens, n_heads, head_dim] floats, `stride` of them from one token to the
/// next. Token t sees the keys [0, first + t + 1), of these the last `window` where there is one.
///
/// A score is query . key times a scale; with a soft cap, softcap * tanh(score / softcap).
struct Queries {
  const float* data = nullptr;
  float* out = nullptr;
  std::size_t stride = 0;
  std::size_t n_tokens = 0;
  std::size_t n_heads = 0;
  std::size_t head_dim = 0;
  std::size_t first = 0;
  std::size_t window = 0;  // 0: none
  float softcap = 0;       // 0: none
};

/// The kernels of one instruction set. The headers beside this one say what each does and check its
/// arguments.
///
/// Thread-safe: pure functions on the caller's memory.
struct Table {
  Isa isa;
  void (*matmul)(const MatrixView& weights, const float* x, std::size_t x_stride,
                 std::size_t n_tokens, float* y, std::size_t y_stride);
  void (*neuron_sum)(const MatrixView& rows, const float* h, std::size_t h_stride,
                     std::size_t n_tokens, float* y, std::size_t y_stride, std::size_t begin_col,
                     std::size_t end_col, const std::byte* next);
  void (*tile_dots)(const TilesView& tiles, const ActivationBlock* x, std::size_t x_stride,
                    std::size_t n_tokens, float* y, std::size_t y_stride);
  void (*to_blocks)(const float* x, ActivationBlock* blocks, std::size_t n_blocks);
  void (*gather_dots)(const RowsView& rows, const float* x, float* y);
  void (*gather_sum)(const RowsView& rows, const float* h, float* y, std::size_t begin_col,
                     std::size_t end_col);
  void (*attend)(const Queries& queries, const MatrixView& keys, const MatrixView& values,
                 float scale);
  void (*rms_norm)(const float* x, const float* weight, float epsilon, float* out, std::size_t n);
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float epsilon,
                     float* out, std::size_t n);
  void (*smooth)(Activation activation, const float* x, const float* factor, float* out,
                 std::size_t n);
  void (*softcap)(float* x, float cap, std::size_t n);
  void (*rope)(float* head, const float* cosines, const float* sines, std::size_t half);
  void (*softmax)(float* x, std::size_t n);
  void (*to_f32)(DType dtype, const std::byte* row, float* out, std::size_t n);
  bool (*from_f32)(DType dtype, const float* x, std::byte* row,
                   std::size_t n);  // false: there is no rounding to it
  void (*to_tiles)(const MatrixView& rows, const TilesView& to,
                   std::byte* tiles);  // `to` is of `tiles`
};

/// The kernels for `isa`. Throws ArgumentError if this processor can not run them.
const Table& table(Isa isa);

/// The kernels that this process uses: those of choose_isa(), chosen at the first call.
/// Thread-safe.
const Table& active();

namespace detail {

/// Throws ArgumentError for bytes that are no numbers; `where` names the kernel.
void require_number(DType dtype, const char* where);

/// Throws ArgumentError for a format in which a number does not stand alone; `where` names the
/// kernel.
void require_plain(DType dtype, const char* where);

/// Throws ArgumentError for a format without blocks; `where` names the kernel.
void require_block(DType dtype, const char* where);

/// Throws ArgumentError for a number format that keys and values have not; `where` names the
/// kernel.
void require_f32_or_f16(DType dtype, const char* where);

}  // namespace detail
}  // namespace flashlm::inline FLASHLM_ABI::kernels

#if !defined(FLASHLM_COMPILED)
#include "flashlm/compute/cpu/isa/dispatch.ipp"
#endif

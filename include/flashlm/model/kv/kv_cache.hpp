// SPDX-License-Identifier: Apache-2.0
/// kv_cache.hpp: the keys and values of one conversation.
#pragma once

#include <cstddef>
#include <span>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/model/graph/spec.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

/// Keys and values of every layer, head and position, allocated once for `context` positions.
///
/// It does not know how many positions are filled: the session does. Not thread-safe.
class KvCache {
 public:
  /// `dtype` is f32 or f16.
  KvCache(const ModelSpec& spec, std::size_t context, DType dtype);

  /// Bytes of a cache of that shape.
  static std::size_t bytes(const ModelSpec& spec, std::size_t context, DType dtype) noexcept;

  std::size_t context() const noexcept { return context_; }
  DType dtype() const noexcept { return dtype_; }
  std::size_t n_layers() const noexcept { return n_layers_; }
  std::size_t n_kv_heads() const noexcept { return n_kv_heads_; }
  std::size_t head_dim() const noexcept { return head_dim_; }

  /// Bytes of one position of one run.
  std::size_t row_size() const noexcept { return row_bytes(dtype_, head_dim_); }

  /// Pieces of memory in which positions are neighbours: one for each layer, keys and values, head;
  /// in this order.
  std::size_t n_runs() const noexcept { return 2 * n_layers_ * n_kv_heads_; }

  /// The bytes of `n` positions of a run, from `first` on: [n, head_dim].
  std::span<std::byte> run(std::size_t index, std::size_t first, std::size_t n);
  std::span<const std::byte> run(std::size_t index, std::size_t first, std::size_t n) const;

  /// The first `n` keys of a head [n, head_dim].
  MatrixView keys(std::size_t layer, std::size_t kv_head, std::size_t n) const noexcept;
  /// The first `n` values of a head [n, head_dim].
  MatrixView values(std::size_t layer, std::size_t kv_head, std::size_t n) const noexcept;

  /// Stores one position: key and value are [n_kv_heads * head_dim].
  void write(std::size_t layer, std::size_t position, std::span<const float> key,
             std::span<const float> value);

 private:
  std::size_t offset(std::size_t layer, std::size_t kind, std::size_t kv_head,
                     std::size_t position) const noexcept;

  std::size_t n_layers_;
  std::size_t n_kv_heads_;
  std::size_t head_dim_;
  std::size_t context_;
  DType dtype_;
  AlignedBuffer rows_;  // [n_layers, 2 (keys, values), n_kv_heads, context, head_dim], dtype
};

}  // namespace flashlm::inline FLASHLM_ABI::model

#if !defined(FLASHLM_COMPILED)
#include "flashlm/model/kv/kv_cache.ipp"
#endif

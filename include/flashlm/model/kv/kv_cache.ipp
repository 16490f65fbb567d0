// SPDX-License-Identifier: Apache-2.0
/// kv_cache.ipp: the bodies of kv_cache.hpp.
#pragma once

#include "flashlm/model/kv/kv_cache.hpp"

#include "flashlm/base/error.hpp"
#include "flashlm/compute/backend.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_INLINE KvCache::KvCache(const ModelSpec& spec, std::size_t context, DType dtype)
    : n_layers_(spec.n_layers()),
      n_kv_heads_(spec.attention().kv_heads),
      head_dim_(spec.attention().head_dim),
      context_(context),
      dtype_(dtype),
      rows_(bytes(spec, context, dtype)) {}

FLASHLM_INLINE std::size_t KvCache::bytes(const ModelSpec& spec, std::size_t context,
                                          DType dtype) noexcept {
  const AttentionSpec& attention = spec.attention();
  return 2 * spec.n_layers() * attention.kv_heads * context * row_bytes(dtype, attention.head_dim);
}

FLASHLM_INLINE std::span<std::byte> KvCache::run(std::size_t index, std::size_t first,
                                                 std::size_t n) {
  FLASHLM_ASSERT(index < n_runs() && first + n <= context_);
  return rows_.bytes().subspan((index * context_ + first) * row_size(), n * row_size());
}

FLASHLM_INLINE std::span<const std::byte> KvCache::run(std::size_t index, std::size_t first,
                                                       std::size_t n) const {
  FLASHLM_ASSERT(index < n_runs() && first + n <= context_);
  return rows_.bytes().subspan((index * context_ + first) * row_size(), n * row_size());
}

FLASHLM_INLINE MatrixView KvCache::keys(std::size_t layer, std::size_t kv_head,
                                        std::size_t n) const noexcept {
  return MatrixView::dense(rows_.data() + offset(layer, 0, kv_head, 0), dtype_, n, head_dim_);
}

FLASHLM_INLINE MatrixView KvCache::values(std::size_t layer, std::size_t kv_head,
                                          std::size_t n) const noexcept {
  return MatrixView::dense(rows_.data() + offset(layer, 1, kv_head, 0), dtype_, n, head_dim_);
}

FLASHLM_INLINE void KvCache::write(std::size_t layer, std::size_t position,
                                   std::span<const float> key, std::span<const float> value) {
  FLASHLM_ASSERT(position < context_);
  for (std::size_t head = 0; head < n_kv_heads_; ++head) {
    compute::Backend::keep(key.subspan(head * head_dim_, head_dim_), dtype_,
                           rows_.data() + offset(layer, 0, head, position));
    compute::Backend::keep(value.subspan(head * head_dim_, head_dim_), dtype_,
                           rows_.data() + offset(layer, 1, head, position));
  }
}

FLASHLM_INLINE std::size_t KvCache::offset(std::size_t layer, std::size_t kind, std::size_t kv_head,
                                           std::size_t position) const noexcept {
  return (((layer * 2 + kind) * n_kv_heads_ + kv_head) * context_ + position) *
         row_bytes(dtype_, head_dim_);
}

}  // namespace flashlm::inline FLASHLM_ABI::model

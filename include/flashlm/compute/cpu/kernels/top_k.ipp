// SPDX-License-Identifier: Apache-2.0
/// top_k.ipp: the bodies of top_k.hpp.
#pragma once

#include "flashlm/compute/cpu/kernels/top_k.hpp"

#include <algorithm>

#include "flashlm/base/error.hpp"

namespace flashlm::inline FLASHLM_ABI::kernels {

namespace detail {

/// Whether index a goes before index b: the larger number, then the lower index; NaN after all
/// numbers.
struct Before {
  const float* x;
  bool operator()(std::size_t a, std::size_t b) const noexcept {
    const bool nan_a = x[a] != x[a], nan_b = x[b] != x[b];
    if (nan_a != nan_b) return nan_b;
    if (!nan_a && x[a] != x[b]) return x[a] > x[b];
    return a < b;
  }
};

}  // namespace detail

FLASHLM_INLINE std::size_t argmax(std::span<const float> x) {
  if (x.empty()) throw ArgumentError("[argmax] count of numbers: expected at least 1, got 0");
  std::size_t best = 0;
  while (best + 1 < x.size() && x[best] != x[best]) ++best;
  if (x[best] != x[best]) return 0;
  for (std::size_t i = best + 1; i < x.size(); ++i) {
    if (x[i] > x[best]) best = i;
  }
  return best;
}

FLASHLM_INLINE void top_k(std::span<const float> x, std::size_t k, std::span<std::size_t> out) {
  if (k > x.size())
    throw ArgumentError(concat("[top_k] k: expected at most ", x.size(), ", got ", k));
  if (k > out.size())
    throw ArgumentError(concat("[top_k] room for indices: expected ", k, ", got ", out.size()));
  if (k == 0) return;
  const detail::Before before{x.data()};
  const auto heap = out.first(k);  // its front is the worst index kept
  for (std::size_t i = 0; i < k; ++i) heap[i] = i;
  std::make_heap(heap.begin(), heap.end(), before);
  for (std::size_t i = k; i < x.size(); ++i) {
    if (!before(i, heap.front())) continue;
    std::pop_heap(heap.begin(), heap.end(), before);
    heap.back() = i;
    std::push_heap(heap.begin(), heap.end(), before);
  }
  std::sort_heap(heap.begin(), heap.end(), before);
}

}  // namespace flashlm::inline FLASHLM_ABI::kernels

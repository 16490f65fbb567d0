// SPDX-License-Identifier: Apache-2.0
/// threshold.ipp: the bodies of threshold.hpp.
#pragma once

#include "flashlm/training/threshold.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/base/matrix_view.hpp"
#include "flashlm/compute/cpu/kernels/matmul.hpp"

namespace flashlm::inline FLASHLM_ABI::training {

namespace detail {

/// Calls body(token, logits [n_neurons]) for every token, in their order.
template <class Body>
void for_logits(const LowRank& predictor, const Activations& activations, Parallel& parallel,
                Body&& body) {
  constexpr std::size_t kTokens = 64;
  constexpr std::size_t kGrain = 16;
  activations.check();
  const std::size_t rank = predictor.rank, dim = activations.dim, n_neurons = activations.n_neurons;
  if (rank == 0 || predictor.reduce.size() != rank * dim ||
      predictor.expand.size() != n_neurons * rank || predictor.bias.size() != n_neurons) {
    throw ShapeError(concat("[train] predictor: expected one of ", dim, " inputs and ", n_neurons,
                            " neurons, got ", predictor.reduce.size(), ", ",
                            predictor.expand.size(), " and ", predictor.bias.size(),
                            " numbers of rank ", rank, "."));
  }
  const auto view = [](std::span<const float> values, std::size_t rows, std::size_t cols) {
    return MatrixView::dense(std::as_bytes(values).data(), DType::f32, rows, cols);
  };
  const MatrixView reduce = view(predictor.reduce, rank, dim);
  const MatrixView expand = view(predictor.expand, n_neurons, rank);
  std::vector<float> x(kTokens * dim), inner(kTokens * rank), logits(kTokens * n_neurons);
  for (std::size_t first = 0; first < activations.n_tokens(); first += kTokens) {
    const std::size_t n = std::min(kTokens, activations.n_tokens() - first);
    for (std::size_t i = 0; i < n; ++i)
      activations.read_input(first + i, std::span(x).subspan(i * dim, dim));
    parallel.for_range(rank, kGrain, [&](std::size_t begin, std::size_t end) {
      kernels::matmul(reduce.slice(begin, end - begin), x.data(), dim, n, inner.data() + begin,
                      rank);
    });
    parallel.for_range(n_neurons, kGrain, [&](std::size_t begin, std::size_t end) {
      kernels::matmul(expand.slice(begin, end - begin), inner.data(), rank, n,
                      logits.data() + begin, n_neurons);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t neuron = begin; neuron < end; ++neuron)
          logits[i * n_neurons + neuron] += predictor.bias[neuron];
    });
    for (std::size_t i = 0; i < n; ++i)
      body(first + i, std::span<const float>(logits).subspan(i * n_neurons, n_neurons));
  }
}

}  // namespace detail

FLASHLM_ONCE float find_threshold(const LowRank& predictor, const Activations& activations,
                                  double recall, Parallel& parallel) {
  if (!(recall > 0 && recall <= 1)) {
    throw ArgumentError(
        concat("[train] recall: expected more than 0 and at most 1, got ", recall, "."));
  }
  std::vector<std::pair<float, float>> firing;  // logit and size
  detail::for_logits(
      predictor, activations, parallel, [&](std::size_t token, std::span<const float> logits) {
        for (std::size_t neuron = 0; neuron < logits.size(); ++neuron) {
          if (!activations.fires(token, neuron)) continue;
          if (!std::isfinite(logits[neuron])) {
            throw FormatError(concat("[train] predictor: expected finite logits, got ",
                                     logits[neuron], " (neuron ", neuron, ")."));
          }
          firing.emplace_back(logits[neuron], activations.size(token, neuron));
        }
      });
  if (firing.empty()) return std::numeric_limits<float>::max();
  std::sort(firing.begin(), firing.end(), std::greater<>{});
  double mass = 0;
  for (const auto& [logit, size] : firing) mass += static_cast<double>(size);
  double found = 0;
  float lowest = firing.front().first;
  for (const auto& [logit, size] : firing) {
    lowest = logit;
    found += static_cast<double>(size);
    if (found >= recall * mass) break;
  }
  return std::nextafter(lowest, -std::numeric_limits<float>::infinity());
}

FLASHLM_ONCE Quality measure(const LowRank& predictor, float threshold,
                             const Activations& activations, Parallel& parallel) {
  std::size_t active = 0, chosen = 0, both = 0;
  double mass = 0, found = 0;
  detail::for_logits(predictor, activations, parallel,
                     [&](std::size_t token, std::span<const float> logits) {
                       for (std::size_t neuron = 0; neuron < logits.size(); ++neuron) {
                         const bool is_chosen = !(logits[neuron] <= threshold);
                         chosen += is_chosen ? 1 : 0;
                         if (!activations.fires(token, neuron)) continue;
                         const auto size = static_cast<double>(activations.size(token, neuron));
                         ++active;
                         both += is_chosen ? 1 : 0;
                         mass += size;
                         found += is_chosen ? size : 0;
                       }
                     });
  const auto share = [](double part, double whole) { return whole > 0 ? part / whole : 1.0; };
  const auto n = static_cast<double>(activations.codes.size());
  return {.active = static_cast<double>(active) / n,
          .predicted = static_cast<double>(chosen) / n,
          .recall = share(static_cast<double>(both), static_cast<double>(active)),
          .mass_recall = share(found, mass),
          .precision = share(static_cast<double>(both), static_cast<double>(chosen))};
}

}  // namespace flashlm::inline FLASHLM_ABI::training

// SPDX-License-Identifier: Apache-2.0
/// attention_test.cpp: one query over keys and values against plain loops in double.
#include "flashlm/kernels/attention.hpp"

#include <cmath>
#include <limits>

#include "flashlm/kernels/matmul.hpp"
#include "flashlm/kernels/neuron_sum.hpp"
#include "flashlm/kernels/softmax.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::DType;
using flashlm::Isa;
using flashlm::MatrixView;
using namespace support;

TEST_CASE("attention equals plain loops in double") {
  for (const auto [isa, dtype] : variants(kCached)) {
    for (std::size_t n : kSizes) {
      for (std::size_t head_dim : {1u, 9u, 64u}) {
        CAPTURE(name(isa), name(dtype), n, head_dim);
        const Weights keys(dtype, n, head_dim, 2, 6), values(dtype, n, head_dim);
        const std::vector<float> query = random_numbers(head_dim, n, 8);
        std::vector<float> scores(n), out(head_dim, -7.0f);
        kernels::table(isa).attend(query.data(), keys.view(), values.view(), 0.25f, scores.data(), out.data());
        std::vector<double> exact(head_dim, 0.0);
        double total = 0;
        for (std::size_t i = 0; i < n; ++i) {
          double score = 0;
          for (std::size_t c = 0; c < head_dim; ++c) score += keys.at(i, c) * static_cast<double>(query[c]);
          const double weight = std::exp(0.25 * score);
          total += weight;
          for (std::size_t c = 0; c < head_dim; ++c) exact[c] += weight * values.at(i, c);
        }
        for (std::size_t c = 0; c < head_dim; ++c) {
          const double want = n == 0 ? 0 : exact[c] / total;
          REQUIRE(std::abs(static_cast<double>(out[c]) - want) < 1e-5);
        }
      }
    }
  }
}

TEST_CASE("attention has the bits of its parts, so that a batch may compute it either way") {
  constexpr std::size_t n = 77, head_dim = 40;
  const Weights keys(DType::f16, n, head_dim), values(DType::f32, n, head_dim);
  const std::vector<float> queries = random_numbers(3 * head_dim, 8);
  std::vector<float> all(3 * n), sums(3 * head_dim);
  kernels::matmul(keys.view(), queries.data(), head_dim, 3, all.data(), n);
  for (float& score : all) score *= 0.3f;
  for (std::size_t t = 0; t < 3; ++t) kernels::softmax(std::span(all).subspan(t * n, n));
  kernels::neuron_sum(values.view(), all.data(), n, 3, sums.data(), head_dim, 0, head_dim);
  for (std::size_t t = 0; t < 3; ++t) {
    std::vector<float> scores(n), out(head_dim);
    kernels::attend(std::span(queries).subspan(t * head_dim, head_dim), keys.view(), values.view(), 0.3f, scores, out);
    REQUIRE(same_bits(scores, std::span(all).subspan(t * n, n)));
    REQUIRE(same_bits(out, std::span(sums).subspan(t * head_dim, head_dim)));
  }
}

TEST_CASE("a key that is NaN makes the result NaN") {
  for (Isa isa : isas()) {
    Weights keys(DType::f32, 5, 8);
    const Weights values(DType::f32, 5, 8);
    keys.set(4, 7, std::numeric_limits<float>::quiet_NaN());
    const std::vector<float> query(8, 1.0f);
    std::vector<float> scores(5), out(8);
    kernels::table(isa).attend(query.data(), keys.view(), values.view(), 1.0f, scores.data(), out.data());
    for (float v : out) REQUIRE(std::isnan(v));
  }
}

TEST_CASE("keys or values in a number format without a kernel are an ArgumentError") {
  std::vector<float> query(1), scores(1), out(1);
  const MatrixView good{reinterpret_cast<const std::byte*>(query.data()), DType::f32, 1, 1, 4};
  const MatrixView bad{nullptr, DType::bf16, 1, 1, 2};
  REQUIRE_THROWS_AS(kernels::attend(query, bad, good, 1, scores, out), flashlm::ArgumentError);
  REQUIRE_THROWS_AS(kernels::attend(query, good, bad, 1, scores, out), flashlm::ArgumentError);
}

// SPDX-License-Identifier: Apache-2.0
/// neuron_sum_test.cpp: sums over neurons against plain loops in double, and their bits under every
/// cut.
#include "flashlm/compute/cpu/kernels/neuron_sum.hpp"

#include <cmath>
#include <limits>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::DType;
using flashlm::Isa;
using flashlm::MatrixView;
using namespace support;

TEST_CASE("a sum over neurons equals plain loops in double and adds to what is there") {
  for (const auto [isa, dtype] : variants(kPlain)) {
    for (std::size_t dim : kSizes) {
      for (std::size_t n : {0u, 1u, 6u, 35u}) {
        for (std::size_t offset : {0u, 1u, 6u}) {
          CAPTURE(name(isa), name(dtype), dim, n, offset);
          constexpr std::size_t n_tokens = 5;
          const Weights rows(dtype, n, dim, offset, offset);
          const std::vector<float> h = random_numbers(n_tokens * n, dim);
          const std::vector<float> before = random_numbers(n_tokens * dim, n);
          std::vector<float> y = before;
          kernels::table(isa).neuron_sum(rows.view(), h.data(), n, n_tokens, y.data(), dim, 0, dim,
                                         nullptr);
          std::size_t wrong = 0;
          for (std::size_t i = 0; i < y.size(); ++i) {
            const std::size_t t = i / dim, c = i % dim;
            double exact = static_cast<double>(before[i]), magnitude = std::abs(exact);
            for (std::size_t row = 0; row < n; ++row) {
              const double product = static_cast<double>(h[t * n + row]) * rows.at(row, c);
              exact += product;
              magnitude += std::abs(product);
            }
            wrong += std::abs(static_cast<double>(y[i]) - exact) > 2e-6 * magnitude;
          }
          REQUIRE(wrong == 0);
        }
      }
    }
  }
}

TEST_CASE("a sum over neurons has the same bits for one token and for any number of tokens") {
  constexpr std::size_t n = 45, dim = 75, most = 70;
  for (const auto [isa, dtype] : variants(kPlain)) {
    const auto neuron_sum = kernels::table(isa).neuron_sum;
    const Weights rows(dtype, n, dim);
    const std::vector<float> h = random_numbers(most * n, 3);
    std::vector<float> single(most * dim);
    for (std::size_t t = 0; t < most; ++t)
      neuron_sum(rows.view(), &h[t * n], 0, 1, &single[t * dim], 0, 0, dim, nullptr);
    for (std::size_t tokens = 1; tokens <= most; ++tokens) {
      CAPTURE(name(isa), name(dtype), tokens);
      std::vector<float> batch(tokens * dim);
      neuron_sum(rows.view(), h.data(), n, tokens, batch.data(), dim, 0, dim, nullptr);
      REQUIRE(same_bits(batch, std::span(single).first(tokens * dim)));
    }
  }
}

TEST_CASE("a sum over neurons has the same bits wherever its rows or columns are split") {
  constexpr std::size_t n = 71, dim = 150;
  for (const auto [isa, dtype] : variants(kPlain)) {
    for (std::size_t tokens : {1u, 2u, 3u, 7u}) {
      const auto neuron_sum = kernels::table(isa).neuron_sum;
      const Weights rows(dtype, n, dim);
      const std::vector<float> h = random_numbers(tokens * n, 4);
      std::vector<float> whole(tokens * dim);
      neuron_sum(rows.view(), h.data(), n, tokens, whole.data(), dim, 0, dim, nullptr);
      for (std::size_t split = 0; split <= n; ++split) {
        CAPTURE(name(isa), name(dtype), tokens, split);
        std::vector<float> y(tokens * dim);
        neuron_sum(rows.view().slice(0, split), h.data(), n, tokens, y.data(), dim, 0, dim,
                   nullptr);
        neuron_sum(rows.view().slice(split, n - split), h.data() + split, n, tokens, y.data(), dim,
                   0, dim, nullptr);
        REQUIRE(same_bits(y, whole));
      }
      for (std::size_t split = 0; split <= dim; ++split) {
        CAPTURE(name(isa), name(dtype), tokens, split);
        std::vector<float> y(tokens * dim);
        neuron_sum(rows.view(), h.data(), n, tokens, y.data(), dim, split, dim, nullptr);
        neuron_sum(rows.view(), h.data(), n, tokens, y.data(), dim, 0, split, nullptr);
        REQUIRE(same_bits(y, whole));
      }
    }
  }
}

TEST_CASE("a sum over neurons has the same bits as with the same weights in f32") {
  constexpr std::size_t n = 41, dim = 555;
  for (const auto [isa, dtype] : variants(kPlain)) {
    const Weights rows(dtype, n, dim, 2, 6), same = rows.widened();
    for (std::size_t tokens : {1u, 2u, 3u, 4u, 5u, 6u, 13u}) {
      CAPTURE(name(isa), name(dtype), tokens);
      const std::vector<float> h = random_numbers(tokens * n, tokens);
      std::vector<float> y(tokens * dim), exact(tokens * dim);
      kernels::table(isa).neuron_sum(rows.view(), h.data(), n, tokens, y.data(), dim, 3, dim,
                                     nullptr);
      kernels::table(isa).neuron_sum(same.view(), h.data(), n, tokens, exact.data(), dim, 3, dim,
                                     nullptr);
      REQUIRE(same_bits(y, exact));
    }
  }
}

TEST_CASE("columns outside the range stay untouched") {
  const Weights rows(DType::f16, 5, 40);
  const std::vector<float> h(10, 1.0f);
  for (Isa isa : isas()) {
    std::vector<float> y(80, -7.0f);
    kernels::table(isa).neuron_sum(rows.view(), h.data(), 5, 2, y.data(), 40, 11, 30, nullptr);
    for (std::size_t i = 0; i < y.size(); ++i) {
      CAPTURE(name(isa), i);
      REQUIRE((y[i] == -7.0f) == (i % 40 < 11 || i % 40 >= 30));
    }
  }
}

TEST_CASE("NaN and infinity in a neuron reach exactly their column") {
  constexpr std::size_t n = 9, dim = 21;
  for (Isa isa : isas()) {
    Weights rows(DType::f16, n, dim);
    rows.set(2, 3, std::numeric_limits<float>::infinity());
    rows.set(8, dim - 1, std::numeric_limits<float>::quiet_NaN());
    const std::vector<float> h(2 * n, 1.0f);
    std::vector<float> y(2 * dim);
    kernels::table(isa).neuron_sum(rows.view(), h.data(), n, 2, y.data(), dim, 0, dim, nullptr);
    for (std::size_t i = 0; i < y.size(); ++i) {
      CAPTURE(name(isa), i);
      REQUIRE(std::isinf(y[i]) == (i % dim == 3));
      REQUIRE(std::isnan(y[i]) == (i % dim == dim - 1));
    }
  }
}

TEST_CASE("instruction sets agree on a sum over neurons to 1e-6 of its magnitude") {
  constexpr std::size_t n = 1000, dim = 33;
  for (const DType dtype : kPlain) {
    const Weights rows(dtype, n, dim);
    const std::vector<float> h = random_numbers(n, 5);
    std::vector<float> first(dim), other(dim);
    kernels::table(Isa::scalar)
        .neuron_sum(rows.view(), h.data(), n, 1, first.data(), dim, 0, dim, nullptr);
    for (Isa isa : isas()) {
      CAPTURE(name(isa), name(dtype));
      other.assign(dim, 0.0f);
      kernels::table(isa).neuron_sum(rows.view(), h.data(), n, 1, other.data(), dim, 0, dim,
                                     nullptr);
      for (std::size_t c = 0; c < dim; ++c) REQUIRE(std::abs(first[c] - other[c]) < 1e-6f * 250);
    }
  }
}

TEST_CASE("neurons in a number format without a kernel are an ArgumentError") {
  float h = 0, y = 0;
  for (const DType dtype : {DType::u8, DType::q8_0, DType::q4_0}) {
    const MatrixView rows{nullptr, dtype, 1, 1, 1};
    REQUIRE_THROWS_AS(kernels::neuron_sum(rows, &h, 1, 1, &y, 1, 0, 1), flashlm::ArgumentError);
  }
}

// SPDX-License-Identifier: Apache-2.0
/// matmul_test.cpp: dots against plain loops in double, and their bits under every way of cutting a
/// product.
#include "flashlm/compute/cpu/kernels/matmul.hpp"

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

TEST_CASE("a product of weights and activations equals plain loops in double") {
  for (const auto [isa, dtype] : variants()) {
    for (std::size_t size : kSizes) {
      const std::size_t dim = row_size(dtype, size);
      for (std::size_t rows : {0u, 1u, 6u, 15u}) {
        for (std::size_t offset : {0u, 1u, 6u}) {
          CAPTURE(name(isa), name(dtype), dim, rows, offset);
          constexpr std::size_t n_tokens = 4;
          const Weights weights(dtype, rows, dim, offset, offset);
          const std::size_t x_stride = dim + 1, y_stride = rows + 3;
          const std::vector<float> x = random_numbers((n_tokens - 1) * x_stride + dim, dim);
          std::vector<float> y(n_tokens * y_stride, -7.0f);
          kernels::table(isa).matmul(weights.view(), x.data(), x_stride, n_tokens, y.data(),
                                     y_stride);
          std::size_t wrong = 0;
          for (std::size_t t = 0; t < n_tokens; ++t) {
            for (std::size_t r = 0; r < y_stride; ++r) {
              double exact = 0, magnitude = 0;
              for (std::size_t k = 0; r < rows && k < dim; ++k) {
                const double product = weights.at(r, k) * static_cast<double>(x[t * x_stride + k]);
                exact += product;
                magnitude += std::abs(product);
              }
              const double got = static_cast<double>(y[t * y_stride + r]);
              wrong += r < rows ? std::abs(got - exact) > 2e-6 * magnitude : got != -7.0;
            }
          }
          REQUIRE(wrong == 0);
        }
      }
    }
  }
}

TEST_CASE("a product has the same bits for one token and for any number of tokens") {
  constexpr std::size_t rows = 45, most = 70;
  for (const auto [isa, dtype] : variants()) {
    const std::size_t dim = row_size(dtype, 75);
    const auto matmul = kernels::table(isa).matmul;
    const Weights weights(dtype, rows, dim);
    const std::vector<float> x = random_numbers(most * dim, 3);
    std::vector<float> single(most * rows);
    for (std::size_t t = 0; t < most; ++t)
      matmul(weights.view(), &x[t * dim], 0, 1, &single[t * rows], 0);
    for (std::size_t n = 1; n <= most; ++n) {
      CAPTURE(name(isa), name(dtype), n);
      std::vector<float> batch(n * rows);
      matmul(weights.view(), x.data(), dim, n, batch.data(), rows);
      REQUIRE(same_bits(batch, std::span(single).first(n * rows)));
    }
  }
}

TEST_CASE("a product of long rows has the same bits for one token and for several") {
  constexpr std::size_t rows = 39;
  for (const auto [isa, dtype] : variants()) {
    const std::size_t dim = row_size(dtype, 2083);
    const auto matmul = kernels::table(isa).matmul;
    const Weights weights(dtype, rows, dim);
    const std::vector<float> x = random_numbers(13 * dim, 8);
    std::vector<float> single(13 * rows);
    for (std::size_t t = 0; t < 13; ++t)
      matmul(weights.view(), &x[t * dim], 0, 1, &single[t * rows], 0);
    for (std::size_t n : {2u, 5u, 13u}) {
      CAPTURE(name(isa), name(dtype), n);
      std::vector<float> batch(n * rows);
      matmul(weights.view(), x.data(), dim, n, batch.data(), rows);
      REQUIRE(same_bits(batch, std::span(single).first(n * rows)));
    }
  }
}

TEST_CASE("a product has the same bits wherever its rows are split") {
  constexpr std::size_t rows = 75;
  for (const auto [isa, dtype] : variants()) {
    const std::size_t dim = row_size(dtype, 33);
    for (std::size_t n : {1u, 2u, 3u, 7u}) {
      const auto matmul = kernels::table(isa).matmul;
      const Weights weights(dtype, rows, dim);
      const std::vector<float> x = random_numbers(n * dim, 4);
      std::vector<float> whole(n * rows);
      matmul(weights.view(), x.data(), dim, n, whole.data(), rows);
      for (std::size_t split = 0; split <= rows; ++split) {
        CAPTURE(name(isa), name(dtype), n, split);
        std::vector<float> y(n * rows);
        matmul(weights.view().slice(0, split), x.data(), dim, n, y.data(), rows);
        matmul(weights.view().slice(split, rows - split), x.data(), dim, n, y.data() + split, rows);
        REQUIRE(same_bits(y, whole));
      }
    }
  }
}

TEST_CASE("NaN and infinity reach exactly the outputs that they belong to") {
  constexpr std::size_t rows = 9, dim = 21;
  for (const auto [isa, dtype] : variants(kPlain)) {
    Weights weights(dtype, rows, dim);
    for (std::size_t k = 0; k < dim; ++k) weights.set(3, k, 1.0f);
    weights.set(3, dim - 1, std::numeric_limits<float>::infinity());
    weights.set(5, 0, std::numeric_limits<float>::quiet_NaN());
    const std::vector<float> x(2 * dim, 1.0f);
    std::vector<float> y(2 * rows);
    kernels::table(isa).matmul(weights.view(), x.data(), dim, 2, y.data(), rows);
    for (std::size_t i = 0; i < y.size(); ++i) {
      CAPTURE(name(isa), name(dtype), i);
      REQUIRE(std::isnan(y[i]) == (i % rows == 5));
      REQUIRE(std::isinf(y[i]) == (i % rows == 3));
    }
  }
}

TEST_CASE("a product has the same bits as with the same weights in f32") {
  flashlm::Random random(6);
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(random.next() >> 33) % n;
  };
  for (const auto [isa, dtype] : variants()) {
    const auto matmul = kernels::table(isa).matmul;
    for (std::size_t n_tokens : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 12u, 13u, 65u}) {
      const std::size_t rows = 1 + below(40),
                        dim = row_size(dtype, 1 + below(n_tokens < 8 ? 1200 : 300));
      const Weights weights(dtype, rows, dim, below(4), below(40)), same = weights.widened();
      const std::vector<float> x = random_numbers(n_tokens * dim, rows);
      std::vector<float> y(n_tokens * rows), exact(n_tokens * rows);
      matmul(weights.view(), x.data(), dim, n_tokens, y.data(), rows);
      matmul(same.view(), x.data(), dim, n_tokens, exact.data(), rows);
      CAPTURE(name(isa), name(dtype), n_tokens, rows, dim);
      REQUIRE(same_bits(y, exact));
    }
  }
}

TEST_CASE("instruction sets agree on a product to 1e-6 of its magnitude") {
  for (const DType dtype : kNumbers) {
    const std::size_t dim = row_size(dtype, 4097);
    const Weights weights(dtype, 16, dim);
    const std::vector<float> x = random_numbers(dim, 5);
    std::vector<float> first(16), other(16);
    kernels::table(Isa::scalar).matmul(weights.view(), x.data(), 0, 1, first.data(), 0);
    for (Isa isa : isas()) {
      CAPTURE(name(isa), name(dtype));
      kernels::table(isa).matmul(weights.view(), x.data(), 0, 1, other.data(), 0);
      for (std::size_t r = 0; r < 16; ++r) REQUIRE(std::abs(first[r] - other[r]) < 1e-6f * 1024);
    }
  }
}

TEST_CASE("a number format without a kernel is an ArgumentError that names it") {
  float x = 0, y = 0;
  const MatrixView weights{nullptr, DType::u8, 1, 1, 1};
  REQUIRE_THROWS_AS(kernels::matmul(weights, &x, 1, 1, &y, 1), flashlm::ArgumentError);
  REQUIRE_THROWS_WITH(
      kernels::matmul(weights, &x, 1, 1, &y, 1),
      "[matmul] number format: expected " + flashlm::names_of(flashlm::is_number) + ", got u8");
}

// SPDX-License-Identifier: Apache-2.0
/// gather_test.cpp: rows that lie anywhere give the bits of rows that lie in order.
#include "flashlm/compute/cpu/kernels/gather.hpp"

#include <utility>
#include <vector>

#include "flashlm/base/error.hpp"
#include "flashlm/compute/cpu/isa/dispatch.hpp"
#include "flashlm/compute/cpu/kernels/matmul.hpp"
#include "flashlm/compute/cpu/kernels/neuron_sum.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

namespace kernels = flashlm::kernels;
using flashlm::DType;
using flashlm::RowsView;
using namespace support;

namespace {

constexpr std::size_t kOffset = 3;

/// Every second row of `weights`, from the last one on; each begins kOffset bytes behind its
/// pointer.
std::vector<const std::byte*> backwards(const Weights& weights) {
  std::vector<const std::byte*> rows;
  for (std::size_t row = weights.view().rows; row > 1; row -= 2)
    rows.push_back(weights.view().row(row - 1) - kOffset);
  return rows;
}

}  // namespace

TEST_CASE("dots of rows that lie anywhere have the bits of a matrix product") {
  for (const auto [isa, dtype] : variants(kPlain)) {
    for (const std::size_t dim : {1u, 7u, 32u, 75u, 257u, 1030u}) {
      for (const std::size_t n : {0u, 2u, 6u, 14u, 30u}) {
        CAPTURE(name(isa), name(dtype), dim, n);
        const Weights weights(dtype, n, dim, kOffset, 5);
        const std::vector<float> x = random_numbers(dim, 3);
        std::vector<float> all(n), got(n / 2), expected;
        kernels::table(isa).matmul(weights.view(), x.data(), dim, 1, all.data(), n);
        for (std::size_t row = n; row > 1; row -= 2) expected.push_back(all[row - 1]);
        const std::vector<const std::byte*> rows = backwards(weights);
        kernels::table(isa).gather_dots({rows.data(), kOffset, dtype, rows.size(), dim}, x.data(),
                                        got.data());
        REQUIRE(same_bits(got, expected));
      }
    }
  }
}

TEST_CASE(
    "sums of rows that lie anywhere have the bits of a sum over neurons, however they are cut") {
  for (const auto [isa, dtype] : variants(kPlain)) {
    for (const std::size_t dim : {1u, 9u, 64u, 160u}) {
      for (const std::size_t n : {0u, 2u, 8u, 26u}) {
        CAPTURE(name(isa), name(dtype), dim, n);
        const Weights weights(dtype, n, dim, kOffset, 5);
        const std::vector<const std::byte*> rows = backwards(weights);
        const std::vector<float> h = random_numbers(rows.size(), 4);
        std::vector<float> expected = random_numbers(dim, 5), whole = expected, cut = expected;
        for (std::size_t i = 0; i < rows.size(); ++i) {
          const flashlm::MatrixView row = weights.view().slice(n - 1 - 2 * i, 1);
          kernels::table(isa).neuron_sum(row, &h[i], 1, 1, expected.data(), dim, 0, dim, nullptr);
        }
        const RowsView view{rows.data(), kOffset, dtype, rows.size(), dim};
        kernels::table(isa).gather_sum(view, h.data(), whole.data(), 0, dim);
        CHECK(same_bits(whole, expected));
        const std::size_t middle = dim / 2 / 32 * 32, first = rows.size() / 3;
        for (const auto& [begin, end] :
             {std::pair{std::size_t{0}, middle}, std::pair{middle, dim}}) {
          kernels::table(isa).gather_sum(view.slice(0, first), h.data(), cut.data(), begin, end);
          kernels::table(isa).gather_sum(view.slice(first, rows.size() - first), h.data() + first,
                                         cut.data(), begin, end);
        }
        REQUIRE(same_bits(cut, expected));
      }
    }
  }
}

TEST_CASE("rows whose numbers do not stand alone have no gathered products") {
  for (const DType dtype : {DType::q8_0, DType::q4_0, DType::u8}) {
    const RowsView rows{nullptr, 0, dtype, 0, 32};
    CHECK_THROWS_AS(kernels::gather_dots(rows, nullptr, nullptr), flashlm::ArgumentError);
    CHECK_THROWS_AS(kernels::gather_sum(rows, nullptr, nullptr, 0, 0), flashlm::ArgumentError);
  }
}

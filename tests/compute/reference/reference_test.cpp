// SPDX-License-Identifier: Apache-2.0
#include "flashlm/compute/reference/reference.hpp"

#include <cmath>
#include <type_traits>
#include <vector>

#include "flashlm/compute/cpu/cpu_backend.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/tiles.hpp"

using namespace flashlm;
using compute::Cpu;
using compute::Reference;

namespace {

void check_close(const std::vector<float>& a, const std::vector<float>& b, double margin = 1e-5) {
  REQUIRE(a.size() == b.size());
  for (std::size_t at = 0; at < a.size(); ++at) REQUIRE(a[at] == Approx(b[at]).margin(margin));
}

}  // namespace

TEST_CASE("the reference's numbers are those of the definitions") {
  std::vector<float> x{3, 4};
  Reference::rms_norm(x, std::vector<float>{1, 2}, 0, x);
  check_close(x, {3 / std::sqrt(12.5f), 8 / std::sqrt(12.5f)});
  x = {1, 3};
  Reference::layer_norm(x, std::vector<float>{1, 1}, std::vector<float>{0, 10}, 0, x);
  check_close(x, {-1, 11});
  x = {1, 0};
  Reference::rope(x, std::vector<float>{0}, std::vector<float>{1});
  check_close(x, {0, 1});
  x = {1, -2};
  Reference::add(std::vector<float>{1, 1}, x);
  Reference::scale(x, 3);
  check_close(x, {6, -3});
  Reference::softcap(x, 1);
  check_close(x, {std::tanh(6.0f), std::tanh(-3.0f)});
}

TEST_CASE("tiles are decoded and multiplied as the processor's kernels do") {
  for (const NumberFormat& format : kNumberFormats) {
    if (!is_block(format.dtype)) continue;
    CAPTURE(format.name);
    const support::Tiles tiles(format.dtype, 40, 2);
    const std::size_t n_x = tiles.n_x();
    const std::vector<float> x = support::random_numbers(3 * 32 * n_x, 5);
    std::vector<ActivationBlock> blocks(3 * n_x), same(3 * n_x);
    Cpu::round(x, blocks.data());
    Reference::round(x, same.data());
    for (std::size_t at = 0; at < blocks.size(); ++at) {
      CHECK(same[at].scale == Approx(blocks[at].scale));
      CHECK(same[at].sum == blocks[at].sum);
      CHECK(same[at].halves[0] == blocks[at].halves[0]);
      CHECK(same[at].halves[1] == blocks[at].halves[1]);
    }
    std::vector<float> got(3 * 40, 1.0f), expected(3 * 40, 1.0f);
    Cpu::product(tiles.view(), blocks.data(), n_x, 3, got.data(), 40);
    Reference::product(tiles.view(), blocks.data(), n_x, 3, expected.data(), 40);
    check_close(got, expected, 1e-3);
  }
}

TEST_CASE("attention with a window and a soft cap agrees with the processor's") {
  const std::size_t dim = 8, n = 5;
  const std::vector<float> queries = support::random_numbers(2 * dim, 1);
  const std::vector<float> keys = support::random_numbers(n * dim, 2);
  const std::vector<float> values = support::random_numbers(n * dim, 3);
  const auto matrix = [&](const std::vector<float>& rows) {
    return MatrixView::dense(reinterpret_cast<const std::byte*>(rows.data()), DType::f32, n, dim);
  };
  std::vector<float> got(2 * dim), expected(2 * dim);
  for (auto* out : {&got, &expected}) {
    const kernels::Queries asked{.data = queries.data(),
                                 .out = out->data(),
                                 .stride = dim,
                                 .n_tokens = 2,
                                 .n_heads = 1,
                                 .head_dim = dim,
                                 .first = 3,
                                 .window = 3,
                                 .softcap = 2};
    if (out == &got) {
      Cpu::attend(asked, matrix(keys), matrix(values), 0.5f);
    } else {
      Reference::attend(asked, matrix(keys), matrix(values), 0.5f);
    }
  }
  check_close(got, expected);
}

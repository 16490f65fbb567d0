// SPDX-License-Identifier: Apache-2.0
#include "flashlm/compute/cpu/cpu_backend.hpp"

#include <vector>

#include "flashlm/compute/cpu/isa/cpu.hpp"
#include "flashlm/compute/cpu/kernels/matmul.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

using namespace flashlm;

TEST_CASE("the processor's backend is named after its instruction set") {
  CHECK(compute::Cpu::name() == name(choose_isa()));
}

TEST_CASE("a verb has the bits of its kernel") {
  const std::vector<float> weights = support::random_numbers(6 * 40, 1);
  const std::vector<float> x = support::random_numbers(2 * 40, 2);
  const MatrixView rows =
      MatrixView::dense(reinterpret_cast<const std::byte*>(weights.data()), DType::f32, 6, 40);
  std::vector<float> verb(12), kernel(12);
  compute::Cpu::product(rows, x.data(), 40, 2, verb.data(), 6);
  kernels::matmul(rows, x.data(), 40, 2, kernel.data(), 6);
  CHECK(support::same_bits(verb, kernel));
}

// SPDX-License-Identifier: Apache-2.0
/// main.cpp: one of two files, with flags of their own, that use what is compiled once.
#include <flashlm/compute/cpu/kernels/matmul.hpp>
#include <flashlm/flashlm.hpp>

float dot_in_other_unit();

int main() {
  const float weights[2] = {3.0f, 4.0f}, x[2] = {1.0f, 0.5f};
  const auto* bytes = reinterpret_cast<const std::byte*>(weights);
  float y = 0.0f;
  flashlm::kernels::matmul(flashlm::MatrixView::dense(bytes, flashlm::DType::f32, 1, 2), x, 2, 1,
                           &y, 1);
  return y == 5.0f && y == dot_in_other_unit() ? 0 : 1;
}

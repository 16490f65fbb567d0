// SPDX-License-Identifier: Apache-2.0
/// other.cpp: the second file that uses a kernel.
#include <flashlm/compute/cpu/kernels/matmul.hpp>
#include <flashlm/flashlm.hpp>

float dot_in_other_unit() {
  const float weights[2] = {2.0f, 6.0f}, x[2] = {1.0f, 0.5f};
  const auto* bytes = reinterpret_cast<const std::byte*>(weights);
  float y = 0.0f;
  flashlm::kernels::matmul(flashlm::MatrixView::dense(bytes, flashlm::DType::f32, 1, 2), x, 2, 1,
                           &y, 1);
  return y;
}
